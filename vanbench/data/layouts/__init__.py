"""The shapes in which people keep a labelled image set: one module per layout."""
