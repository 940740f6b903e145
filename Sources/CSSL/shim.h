#pragma once
// The low-level functions are marked as deprecated in favour of EVP, which looks its algorithm up under locks at each
// call: for the short texts of one request that costs several times the digest itself.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stddef.h>

// SHA-256 (FIPS 180-4) of `count` bytes into 32.
static inline void cssl_sha256(const unsigned char *bytes, size_t count, unsigned char *digest) {
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, bytes, count);
    SHA256_Final(digest, &context);
}

// The same piece by piece: begin, any number of updates, end.
static inline void cssl_sha256_begin(SHA256_CTX *context) { SHA256_Init(context); }

static inline void cssl_sha256_update(SHA256_CTX *context, const unsigned char *bytes, size_t count) {
    SHA256_Update(context, bytes, count);
}

static inline void cssl_sha256_end(SHA256_CTX *context, unsigned char *digest) { SHA256_Final(digest, context); }
