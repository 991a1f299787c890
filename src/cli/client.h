/* client.h - signed HTTPS calls to the API of one instance: where it is, whose key signs, which CA
 * it has. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <jansson.h>

#include "base/buf.h"
#include "conf/conf.h"

struct client {
	struct conf conf;
	char profile[40]; /* of a server elsewhere; "": the instance of this host */
	char host[256];   /* of API and S3, as in a URL */
	char access_key[129], secret[129];
	char ca_file[CONF_TEXT + 16];
	bool json;       /* --json */
	long timeout_ms; /* of each call; 0: none */
	void *curl;
};

/* Read the configuration and the key pair of this instance: root's file below the data directory,
 * else ~/.config/doze/credentials[-NAME]. */
int client_open(struct client *c, const char *instance, struct err *e) must_check;
/* The two halves: the configuration alone, for commands that start or stop the daemon; and what
 * follows it. */
int client_locate(struct client *c, const char *instance, struct err *e) must_check;
int client_connect(struct client *c, struct err *e) must_check;
/* What follows when *c says where the server is and who asks. */
int client_attach(struct client *c, struct err *e) must_check;
void client_close(struct client *c);

/* The first key pair of a file in the form of ~/.aws/credentials. */
int client_read_key(struct client *c, const char *path, struct err *e) must_check;

/* One call.  @body may be NULL.  *answer gets the raw bytes.  -1: no answer, or one with an error:
 * its type and message are in *e and its status in *status. */
int client_call(struct client *c, const char *method, const char *path, const char *body,
		struct buf *answer, long *status, struct err *e) must_check;
/* The same for JSON both ways; @in may be NULL and is borrowed; the answer is owned by the caller,
 * NULL: error. */
json_t *client_json(struct client *c, const char *method, const char *path, const json_t *in,
		    struct err *e);
/* All pages of a list operation: the array under "items". */
json_t *client_list(struct client *c, const char *path, struct err *e);
/* Send an open file: to s3://bucket/key, after making the bucket if it is missing; or as the body
 * of a POST to the API. */
int client_put_object(struct client *c, const char *bucket, const char *key, int fd,
		      struct err *e) must_check;
int client_post_file(struct client *c, const char *path, int fd, struct buf *answer,
		     struct err *e) must_check;

/* Where endpoints are reached whose names no resolver knows elsewhere (those below localhost): the
 * server's own name.  NULL: by their names. */
const char *client_endpoint_host(const struct client *c);

/* Escape one path segment; owned by the caller. */
char *client_escape(const char *text);

#endif
