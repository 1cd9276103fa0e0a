// Names in the manifest of a Flux artifact: media types and annotations.

/** Media types by which the source-controller and `flux pull artifact` know what they have. */
export const fluxConfigType = "application/vnd.cncf.flux.config.v1+json";
export const fluxLayerType = "application/vnd.cncf.flux.content.v1.tar+gzip";

/** Annotation of a manifest: digest of the layer. */
export const revisionAnnotation = "org.opencontainers.image.revision";
/** Annotation of a manifest whose files were rendered in part: digest of everything that they were rendered from. */
export const renderAnnotation = "dev.policychain.render";
