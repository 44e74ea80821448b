"""The transparency log: files in C2SP form, one writer, and proofs that anyone can check (services/audit/README.md).

Nothing here knows Kafka, a store or gRPC. Specifications: c2sp.org/tlog-tiles, /tlog-checkpoint, /signed-note,
/tlog-proof, /tlog-cosignature; hashes as in RFC 6962, section 2.1.
"""
