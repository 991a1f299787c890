/* object.h - the image role asks the objects role for an artifact: a read-only descriptor. */
#ifndef IPC_OBJECT_H
#define IPC_OBJECT_H

#include "ipc/chan.h"

enum object_type {
	OBJECT_NONE,
	OBJECT_GET,   /* struct object_get */
	OBJECT_FOUND, /* struct object_found; fd */
	OBJECT_FAULT, /* struct object_fault */
	OBJECT_NUM_TYPES,
};

struct object_get {
	char bucket[64];
	char key[1025];   /* UTF-8, at most 1024 bytes */
	char account[16]; /* whose bucket it must be */
	char pad[7];
};

struct object_found {
	uint64_t size;
	char etag[80];
};

struct object_fault {
	char code[48]; /* S3's own: "NoSuchKey", "NoSuchBucket", "InternalError" */
	char text[IPC_TEXT_SIZE];
};

extern const struct ipc_row object_rows[OBJECT_NUM_TYPES];

#endif
