"""From a published list of models, a README table or a metafile, to a zoo file."""
