// Media types of manifests, configs and layers: what we write (OCI) and what we read (OCI and Docker's older names).

export const manifestType = "application/vnd.oci.image.manifest.v1+json";
export const indexType = "application/vnd.oci.image.index.v1+json";
export const configType = "application/vnd.oci.image.config.v1+json";
export const tarLayerType = "application/vnd.oci.image.layer.v1.tar";

const dockerManifestType = "application/vnd.docker.distribution.manifest.v2+json";
const dockerListType = "application/vnd.docker.distribution.manifest.list.v2+json";
const dockerConfigType = "application/vnd.docker.container.image.v1+json";

export const isIndexType = (type: string): boolean => type === indexType || type === dockerListType;
export const isManifestType = (type: string): boolean => type === manifestType || type === dockerManifestType;
export const isConfigType = (type: string): boolean => type === configType || type === dockerConfigType;
/** Layers that stay at an address of their own ("foreign"); registries need not hold them. */
export const isForeignLayerType = (type: string): boolean => /\.nondistributable\.|\.rootfs\.foreign\./.test(type);

/** What is asked for: a registry that knows several forms of an image gives the one that its digest is of. */
export const acceptedManifests: string = [manifestType, indexType, dockerManifestType, dockerListType].join(", ");
