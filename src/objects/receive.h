/* receive.h - takes the framings off the body of a request, checks its hashes, and puts its bytes
 * into a draft or into memory. */
#ifndef OBJECTS_RECEIVE_H
#define OBJECTS_RECEIVE_H

#include <openssl/evp.h>

#include "objects/draft.h"
#include "wire/sigv4.h"

struct receive {
	/* Set before receive_begin. */
	struct draft *draft;       /* borrowed; NULL: into `body` */
	bool unsummed;             /* the checksum headers do not describe this body */
	enum s3_sum_kind sum_kind; /* it is computed even if the client claims none */
	/* What is expected. */
	bool chunked, chunk_signed, trailing;
	int64_t length;                      /* of the payload; -1: unknown */
	char payload_hash[65], md5_want[25]; /* hex, base64; "": the client gave none */
	bool sum_claimed;
	char sum_want[S3_SUM_TEXT]; /* base64; "": in a trailer, or none */
	/* Chunk signatures. */
	uint8_t key[32];
	char scope[160], date[17], signature[65];
	/* Under way. */
	struct s3_chunks chunks;
	EVP_MD_CTX *sha256, *md5;
	struct s3_sum *sum;
	uint64_t got;
	bool ended;
	struct buf body;
	/* What came out. */
	char md5_hex[33], sum_text[S3_SUM_TEXT];
};

/* From the head; `secret` is of the claim's key.   e->kind ERR_INVALID: malformed; the text begins
 * with S3's code. */
int receive_begin(struct receive *r, const struct http_head *head, const struct sigv4_claim *claim,
		  const char *secret, struct err *e) must_check;
/* ERR_DENIED with "SignatureDoesNotMatch: ...", ERR_INVALID with another code, ERR_CAPACITY. */
int receive_data(struct receive *r, const uint8_t *data, size_t size, struct err *e) must_check;
int receive_end(struct receive *r, struct err *e) must_check;
void receive_free(struct receive *r);

#endif
