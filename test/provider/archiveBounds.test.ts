// What a release archive may cost at most, measured in a process of its own, when it is made to cost more. A tool of 250 MB in
// every format: test/soak/archiveMemory.test.ts.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGzip, gzipSync } from "node:zlib";
import { tarHeader } from "../../lib/oci/tar";
import { costOf, writeChunks } from "../support/archiveCost";
import { zipball } from "../support/zipball";

const mebibyte = 2 ** 20;

/** `xz -9e` of 8 MiB of zeros; xz streams may stand one behind the other. */
const zeros = Buffer.from(
  "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM//8RAWxdAABv/f//o7f/Rz5IFXI5YVG4kijmo4YH+e7kHoLTL8U6PAFLsX7JiopNL6MN2X+m44wjEVPgWRjFdYrid/i2lH8MasDedElk4ulcU7IE2PdEDKtfDW1G6eXDdoi3llestk3haR1v+0uIEGxCy4g/XACP0E6vJiiUcR89jyThcJ6nI1/sKMuF0ZWYin4qkfIndfcZwAaYTZj92K/VkA/EJVP49ZE2MQWlsO5vwXBNRwzRkRGqrWAdus6xJxhcWYbpZlJYvul2rFnk5VsFCPnH2q38+1IrdM0eWyBC+d1TPfgpZAk7gMsqbN+1O/DEvS5fqg8+S2ZCkBMO/xCT+HF4WfgLzf+VKEYPqfx83vuaMC5WwI+F84OBwGXEJVP49ZE2MQWlsO5vwXBNRwzRkRGqrWAdus6xJxhcWYbpZlJYvul2rFnk5VsFCPnH2q38+1IrdM0eWyBC+d1TPfgpZAk7gMsqbN+1O/DEvEgn5lif/xABKwDsc1On/b6ufDEan7eNMW5wnqcjX+woy4XRlZiKfiqR8id19xnABphNmP3Yr9WQD8QlU/j1kTYxBaWw7m/BcE1HDNGREaqtYB26zrEnGFxZhulmUli+6XasWeTlWwUI+cfarfz7Uit0zR5bIEL53VM9+ClkCTuAyyps37U78MS9Ll+qDz5LZkKQEw7/EJP4cXhZ+AvN/5UoRg+p/Hze+5owLlbAj4Xzg4HAZcQlU/j1kTYxBaWw7m/BcE1HDNGREaqtYB26zrEnGFxZhulmUli+6XasWeTlWwUI+cfarfz7Uit0zR5bIEL53VM9+ClkCTuAyyps37U78MS9Ll+qDz5LZkKQEw7/EJP4cXhZ+AvN/5UoRg+p/Hze+5owLlbAj4Xzg4HAZcQlUQ8/sp//EAErAOxzU6f9vq58MRqft40xbnCepyNf7CjLhdGVmIp+KpHyJ3X3GcAGmE2Y/div1ZAPxCVT+PWRNjEFpbDub8FwTUcM0ZERqq1gHbrOsScYXFmG6WZSWL7pdqxZ5OVbBQj5x9qt/PtSK3TNHlsgQvndUz34KWQJO4DLKmzftTvwxL0uX6oPPktmQpATDv8Qk/hxeFn4C83/lShGD6n8fN77mjAuVsCPhfODgcBlxCVT+PWRNjEFpbDub8FwTUcM0ZERqq1gHbrOsScYXFmG6WZSWL7pdqxZ5OVbBQj5x9qt/PtSK3TNHlsgQvndUz34KWQJO4DLKmzftTvwxL0uX6oPPktmQpATDv8Qk/hxeFn4C83/lShGD6n8fN77mjAuVsCPhfODgcBlxCVRDz+yn/8QASsA7HNTp/2+rnwxGp+3jTFucJ6nI1/sKMuF0ZWYin4qkfIndfcZwAaYTZj92K/VkA/EJVP49ZE2MQWlsO5vwXBNRwzRkRGqrWAdus6xJxhcWYbpZlJYvul2rFnk5VsFCPnH2q38+1IrdM0eWyBC+d1TPfgpZAk7gMsqbN+1O/DEvS5fqg8+S2ZCkBMO/xCT+HF4WfgLzf+VKEYPqfx83vuaMC5WwI+F84OBwGXEJVP49ZE2MQWlsO5vwXBNRwzRkRGqrWAdus6xJxhcWYbpZlJYvul2rFnk5VsFCPnH2q38+1IrdM0eWyBC+d1TPfgpZAk7gMsqbN+1O/DEvS5fqg8+S2ZCkBMO/xCT+HF4WfgLzf+VKEYPqfx83vuaMC5WwI+F84OBwGXEJVEPP7KAA7oABQB7YffvAAAAAC0r4M46TxjTAAGmCoCAgARmzyJ2scRn+wIAAAAABFla",
  "base64",
);

describe("what a hostile release archive costs", function () {
  this.timeout(120_000);
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), "bounds-"));
  });
  after(() => rmSync(dir, { recursive: true }));

  const write = (name: string, chunks: Iterable<Buffer>, ...through: NodeJS.ReadWriteStream[]) =>
    writeChunks(join(dir, name), chunks, ...through);

  const hostile = async (file: string, error: RegExp, milliseconds: number) => {
    const report = await costOf(file, "tool");
    assert.match(report.error ?? "", error);
    assert.ok(report.milliseconds < milliseconds, `${report.milliseconds} ms`);
  };
  const header = (name: string, size = 0) => tarHeader({ name, type: "file", executable: true, size });

  it("ends within 5 s, with 10⁶ entries", async () => {
    // Members of gzip may stand one behind the other: 20,001 names, fifty times.
    const names = Array.from({ length: 20_001 }, (_, index) => header(`file-${index}`));
    const packed = gzipSync(Buffer.concat(names), { level: 1 });
    const path = await write(
      "many.tar.gz",
      Array.from({ length: 50 }, () => packed),
    );
    await hostile(path, /archive-malformed.*more than 20000 entries/, 5000);
  });

  it("ends within 5 s, with names of 20 MB", async () => {
    function* entries() {
      const path = `${"n".repeat(4000)}/`;
      for (let index = 0; index < 5000; index++) {
        const record = `path=${path}${index}\n`;
        const text = `${record.length + 5} ${record}`;
        const pax = Buffer.from(tarHeader({ name: "pax", type: "file", executable: false, size: text.length }));
        pax.write("x", 156);
        pax.write("        ", 148);
        pax.write(
          `${pax
            .reduce((sum, byte) => sum + byte, 0)
            .toString(8)
            .padStart(6, "0")}\0 `,
          148,
          "latin1",
        );
        yield pax;
        yield Buffer.concat([Buffer.from(text), Buffer.alloc((512 - (text.length % 512)) % 512)]);
        yield header("short");
      }
    }
    const path = await write("names.tar", entries());
    await hostile(path, /archive-malformed.*names have more than 16777216 bytes/, 5000);
  });

  it("ends within 5 s, as a bomb of gzip", async () => {
    function* bomb() {
      yield header("tool", 4096 * mebibyte);
      for (let index = 0; index < 100; index++) yield Buffer.alloc(mebibyte);
    }
    const path = await write("bomb.tar.gz", bomb(), createGzip({ level: 1 }));
    assert.ok(statSync(path).size < mebibyte);
    await hostile(path, /archive-malformed.*more than 100 times its size/, 5000);
  });

  it("ends within 5 s, as a bomb of xz", async () => {
    // Zeros are the end of a tar, however many they are.
    const path = await write(
      "bomb.tar.xz",
      Array.from({ length: 16 }, () => zeros),
    );
    await hostile(path, /archive-malformed.*more than 100 times its size/, 5000);
  });

  it("ends within 10 s, with 20,000 entries in a zip", async () => {
    const items = Array.from({ length: 20_000 }, (_, index) => ({ name: `file-${index}`, method: 0 }));
    await hostile(await write("many.zip", [zipball(items, { zip64: true })]), /archive-member/, 10_000);
  });
});
