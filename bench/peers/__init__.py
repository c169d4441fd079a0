"""Other packages' searches on the server that Darwin's generation uses, as rows of an evaluation."""
