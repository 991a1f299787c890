/* s3.h - what S3 adds to HTTP: its own chunked bodies, checksums, and small XML documents.  Pure.
 */
#ifndef WIRE_S3_H
#define WIRE_S3_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

/* Content-Encoding: aws-chunked.  "size[;chunk-signature=hex]" CR LF data CR LF ..., a chunk of
 * size 0, trailer lines, an empty line. */
struct s3_chunks {
	int state; /* zero the struct to begin */
	uint64_t left, line_size;
	char line[512];
	char signature[65];  /* of this chunk, as the client claims it, or "" */
	char trailers[2048]; /* "name:value\n" lines, names in lower case, without the signature */
	char trailer_signature[65];
};

enum s3_chunk_event {
	S3_CHUNK_MORE, /* all consumed */
	S3_CHUNK_DATA, /* a piece of the chunk */
	S3_CHUNK_DONE, /* the chunk is complete, also the empty last one */
	S3_CHUNK_END,  /* the trailers are there; nothing may follow */
	S3_CHUNK_BAD,
};

/* Consumes *used bytes.  Call it again with the rest, even with none, until it returns MORE. */
enum s3_chunk_event s3_chunks_next(struct s3_chunks *c, const uint8_t *data, size_t size,
				   size_t *used, const uint8_t **piece, size_t *piece_size);
/* Copy the value of a trailer.  False if it is absent or too long. */
bool s3_trailer(const struct s3_chunks *c, const char *name, char *value, size_t room);

enum s3_sum_kind {
	S3_SUM_NONE,
	S3_SUM_CRC32,
	S3_SUM_CRC32C,
	S3_SUM_CRC64NVME,
	S3_SUM_SHA1,
	S3_SUM_SHA256,
	S3_SUM_NUM,
};

struct s3_sum_row {
	const char *name;    /* "CRC32" */
	const char *header;  /* "x-amz-checksum-crc32" */
	const char *element; /* "ChecksumCRC32" */
	size_t size;         /* bytes */
};
extern const struct s3_sum_row s3_sum_rows[S3_SUM_NUM];
enum s3_sum_kind s3_sum_by_name(const char *name);     /* any case; NONE: unknown */
enum s3_sum_kind s3_sum_by_header(const char *header); /* lower case */

#define S3_SUM_BYTES 32
#define S3_SUM_TEXT  64 /* base64, or "-N" behind it, with the NUL */

/* A running checksum. */
struct s3_sum;
struct s3_sum *s3_sum_new(enum s3_sum_kind kind);
void s3_sum_add(struct s3_sum *s, const void *data, size_t size);
void s3_sum_free(struct s3_sum *s, uint8_t out[S3_SUM_BYTES]); /* out may be NULL */

void s3_base64(const uint8_t *data, size_t size, char *out); /* 4 * ceil(size / 3) + 1 */
/* Decode exactly `size` bytes.  False for any other text, even one with the same meaning. */
bool s3_unbase64(const char *text, uint8_t *out, size_t size);

/* Reads a client's XML: elements and text, the five named entities and numeric ones, no DTD. */
struct s3_xml {
	const char *at, *end;
	unsigned depth;
	bool bad, closing; /* closing: the CLOSE of "<a/>" is due next */
	char name[64];     /* of the last OPEN or CLOSE, without its prefix */
	struct buf text;   /* of the last TEXT, NUL-terminated; owned: s3_xml_free */
};
enum s3_xml_event { S3_XML_OPEN, S3_XML_TEXT, S3_XML_CLOSE, S3_XML_END, S3_XML_BAD };
void s3_xml_init(struct s3_xml *x, const char *text, size_t size);
enum s3_xml_event s3_xml_next(struct s3_xml *x);
void s3_xml_free(struct s3_xml *x);
void s3_xml_put(struct buf *b, const char *element, const char *text); /* escaped */

#endif
