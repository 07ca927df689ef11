"""What crosses the trust boundary: questions on the way in, plain data on the way out."""
