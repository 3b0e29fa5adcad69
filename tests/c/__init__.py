"""The C header, compiled by the host's compilers."""
