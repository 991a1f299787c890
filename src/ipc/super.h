/* super.h - the supervisor and its roles.
 *
 * A role is the program `dozed-NAME` beside dozed.  It is executed with this channel as descriptor
 * 3 and the open configuration file as descriptor 4, if there is one.  It is a separate program so
 * that it holds no code and no memory of another role.  Messages bring what it needs: listening
 * sockets, secrets, and one end of a socket pair to every peer.  A peer that crashed and restarted
 * arrives as a new PEER, and the role drops the old one.  A role works as soon as it has what it
 * needs, and dies with its supervisor (PDEATHSIG).
 *
 * The proxy runs several times: as workers, each with listeners of its own.  A worker has a number
 * that no other one has while it lives. */
#ifndef IPC_SUPER_H
#define IPC_SUPER_H

#include "ipc/chan.h"

#define SUPER_FD        3
#define SUPER_CONFIG_FD 4

/* What the supervisor writes into its pid file, below the pid, for the command line. */
#define SUPER_FILE_STOPPING "stopping\n" /* it has been asked to end */
#define SUPER_FILE_FAILED   "failed\n"   /* a role did not end cleanly */

/* Beside it: what came of the last reload.  The first line is the time; each further one says what
 * could not be done. */
#define SUPER_FILE_RELOADED "reloaded"

enum role { ROLE_PRIV, ROLE_OBJECTS, ROLE_IMAGE, ROLE_CONTROL, ROLE_PROXY, ROLE_NUM };

/* Secrets, each in a memfd that the receiver reads whole and closes. */
enum secret {
	SECRET_TLS_API,      /* PEM: key, leaf, CA: control */
	SECRET_TLS_S3,       /* PEM: objects */
	SECRET_TLS_ENDPOINT, /* PEM: proxy */
	SECRET_TOKEN_KEYS,   /* JSON {"current":kid,"keys":{kid:base64url of 32 bytes}}: control,
				proxy */
	SECRET_CREDENTIALS,  /* the ini of the credentials file: control, objects */
	SECRET_CA_CERT,      /* PEM of our CA's certificate, public: control (doze env), image */
	SECRET_TICKETS,      /* the keys of TLS session tickets (struct super_tickets): proxy */
	SECRET_CERTIFICATES, /* the operator's: before each, whose PEM is a key, a leaf and its
				chain, a line SUPER_CERTIFICATE with the domain: proxy */
	SECRET_API_CERTIFICATES, /* likewise, those for [service] api_name: control, objects */
	SECRET_CLIENT_SIGNER,    /* PEM: key and certificate of who signs clients' certificates:
				    control */
	SECRET_CLIENT_CA,        /* PEM: that certificate alone, public: proxy */
	SECRET_KMS, /* what wraps keys: lines "master DIGITS" and "alias/NAME DIGITS", each 32 bytes
		       in hexadecimal; "-" where a key's file cannot be used: control */
	SECRET_NUM,
};

enum listener { LISTENER_API, LISTENER_S3, LISTENER_ENDPOINT, LISTENER_METRICS, LISTENER_NUM };

enum super_type {
	SUPER_NONE,
	/* supervisor -> role */
	SUPER_SECRET,   /* struct super_which (enum secret); fd */
	SUPER_LISTENER, /* struct super_listener; fd: a listening TCP socket; may come more than
			   once */
	SUPER_PEER,  /* struct super_which (enum role, the proxy's worker); fd: a SEQPACKET socket
			to that role */
	SUPER_START, /* struct super_which: the endpoint port that was got, and how many workers
			the proxy has; all is handed over */
	SUPER_STOP,  /* struct super_which: 1: leave the machines running. The role finishes and
			exits 0 */
	/* role -> supervisor */
	SUPER_READY,    /* struct super_which (0): serving */
	SUPER_PROGRESS, /* struct super_which (0): the stop goes on, have patience anew */
	/* supervisor -> the proxy */
	SUPER_DRAIN, /* struct super_which (0): accept nothing more, finish what is there, exit 0 */
	SUPER_LOG,   /* struct super_which (0); fd: the access log, to append to; may come again */
	SUPER_SHARES, /* struct super_which (the receiver's number); fd: the memory of ipc/share.h;
			 before START */
	SUPER_NUM_TYPES,
};

struct super_which {
	uint32_t which;
	uint32_t more; /* PEER: the worker; START: how many; otherwise 0 */
};

#define SUPER_CERTIFICATE "# certificate " /* the domain, and the end of the line */

#define SUPER_WORKERS      32 /* of the proxy, that serve */
#define SUPER_WORKER_SLOTS 64 /* their numbers are below this: some drain */

/* Two generations: tickets are made with the first, and the second still opens them. */
struct super_ticket_key {
	uint8_t name[16], cipher[32], hmac[32];
};

struct super_tickets {
	struct super_ticket_key keys[2];
};

struct super_listener {
	uint32_t which; /* enum listener */
	uint32_t port;
};

extern const struct ipc_row super_rows[SUPER_NUM_TYPES];
extern const char *const role_name[ROLE_NUM];

/* Entry points, one per role folder.  The program dozed-NAME calls its own (dozed/role.c) after it
 * dropped the privileges that the role does not need. */
struct conf;
typedef int role_main(const struct conf *conf, int super_fd);
role_main control_main, proxy_main, objects_main, image_main, priv_main;

#endif
