"""Results in the forms of other tools, one module for each; docs/formats.md describes them."""
