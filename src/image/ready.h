/* ready.h - judges over time when an application without a /ready hook is ready for its snapshot.
 * Pure: time comes with each sample.
 *
 * It is ready when what it is to listen on listens and the guest has come to rest, because servers
 * listen before they can answer.  What is missing only makes the judgement more patient: an idle
 * guest will not go on by itself.  While the guest works, it is waited for.
 *
 * Rest has three degrees, and the less restful one must last longer.  A start takes all of a core,
 * so on a software CPU too it differs from the ten or thirty percent that an idle server may take
 * there. */
#ifndef IMAGE_READY_H
#define IMAGE_READY_H

#include "base/buf.h"
#include "ipc/build.h"

#define READY_RING 16 /* samples of the last second */

/* What the guest tells four times a second; see enum agent_field. */
struct ready_sample {
	int64_t at_ms;
	uint64_t cpu_us, disk_bytes, net_bytes, births, tasks, output_bytes, memory_bytes;
};

struct ready_ports {
	uint16_t tcp[BUILD_MAX_PORTS], udp[BUILD_MAX_PORTS]; /* sorted */
	size_t n_tcp, n_udp;
};

enum ready_open { READY_NOTHING, READY_ANOTHER, READY_SOME, READY_ALL, READY_NUM_OPEN };
enum ready_rest { READY_QUIET, READY_CALM, READY_STEADY, READY_NUM_RESTS };

/* What went on in the last second. */
struct ready_pace {
	uint64_t cpu_percent, disk_bytes, net_bytes, births, ends, output_bytes;
};

struct ready {
	struct ready_ports wanted, listening; /* wanted.udp and .tcp: the EXPOSEd ones, or 8080 */
	bool promised;                        /* the image EXPOSEs a port */
	enum ready_open open;
	bool changed; /* what listens did, since the last sample */
	int64_t changed_ms;
	struct ready_sample ring[READY_RING];
	size_t n; /* samples so far */
	struct ready_pace pace;
	int64_t worked_ms;                 /* when something but output last went on */
	uint64_t memory_bytes;             /* when the steady time began */
	int64_t since_ms[READY_NUM_RESTS]; /* so long it rests; -1: it does not */
};

/* @exposed is what the image EXPOSEs.  If that is nothing, port 8080 is waited for. */
void ready_begin(struct ready *r, const struct ready_ports *exposed);
void ready_set_tcp(struct ready *r, const uint16_t *ports, size_t n); /* that listen now; sorted */
void ready_set_udp(struct ready *r, const uint16_t *ports, size_t n);
/* Is it ready?  Samples come in the order of their time. */
bool ready_sample(struct ready *r, const struct ready_sample *s);
/* Would a snapshot that is taken now, before it is ready, hold a half-started application? */
bool ready_is_half(const struct ready *r);

/* Parts of sentences: "port 80 listens", "ports 80 and 53/udp listen". */
void ready_say_wanted(const struct ready *r, struct buf *to);
/* "nothing listens on port 80; port 5000 listens instead" */
void ready_say_open(const struct ready *r, struct buf *to);
/* "it uses 97 % of a core and writes output" */
void ready_say_pace(const struct ready *r, struct buf *to);
/* "the application has been quiet for 1.2 seconds" */
void ready_say_rest(const struct ready *r, struct buf *to);

#endif
