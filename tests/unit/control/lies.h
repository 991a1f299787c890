/* lies.h - what the control role under test is told that is not so.
 *
 * One page of memory that the rig shares with the role.  The rig writes what is to be told and
 * reads how often it was; lies.c stands in front of libc, SQLite and libpq and tells it. Descriptor
 * LIES_FD is the page; without it everything is the truth. */
#ifndef TESTS_CONTROL_LIES_H
#define TESTS_CONTROL_LIES_H

#include <stdint.h>

#define LIES_FD 5

enum lie_call {
	LIE_COMMIT, /* of the store: the answer is SQLite's code */
	LIE_FSYNC,  /* fdatasync too */
	LIE_RENAME,
	LIE_LINK,
	LIE_CREATE, /* open with O_CREAT */
	LIE_MKDIR,
	LIE_MEMFD,
	LIE_SENDMSG,
	LIE_RECVMSG,
	LIE_QUERY, /* of the store in PostgreSQL, whichever statement */
	LIE_NUM_CALLS,
};

/* Who is lied to.  Helpers are threads of libuv's pool; SQLite's own calls are nobody's. */
enum lie_who { LIE_ANYONE, LIE_ROLE, LIE_HELPERS };

/* Instead of an error: the process dies at the call, or the call waits until the lie is taken back
 * and then is made. */
#define LIE_DIES_BEFORE 1001
#define LIE_DIES_AFTER  1002
#define LIE_STALLS      1003
/* Of a query: its connection breaks before the server has it, or when the server has done it. */
#define LIE_LOSES_BEFORE 1004
#define LIE_LOSES_AFTER  1005

struct lie {
	uint32_t answer; /* an errno, a code of SQLite's, LIE_DIES_...; 0: the truth */
	uint32_t who;    /* enum lie_who */
	uint32_t skip;   /* calls that go well before */
	uint32_t times;  /* calls that are lied to; 0: all */
	uint32_t asked;  /* calls so far, of whomever */
	uint32_t told;   /* lies so far */
};

struct lies {
	int64_t passed_ns;        /* that both clocks are ahead */
	int64_t stepped_ns;       /* that the wall clock is ahead besides */
	int64_t basis_ms;         /* of base/steady.h, as the first control had it; 0: none yet */
	uint32_t longest_wait_ms; /* of the loop for events; 0: as long as it wants */
	uint32_t turns;           /* of the loop */
	uint32_t lazy_disk;       /* 1: fsync does nothing: what dies is a process, not the host */
	uint32_t writing;         /* a transaction of the store is open */
	uint32_t commits_held;    /* 1: commits wait, so that what comes meanwhile can be seen */
	char commit_text[64];     /* only transactions that write this; "": any */
	struct lie calls[LIE_NUM_CALLS];
};

void lies_open(void);

#endif
