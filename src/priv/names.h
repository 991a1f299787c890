/* names.h - names and numbers of what priv makes: interfaces, the nft table, cgroups, addresses,
 * user ids. Every name carries the instance. The only other part that comes from outside is an
 * identifier that was checked here. Pure. */
#ifndef PRIV_NAMES_H
#define PRIV_NAMES_H

#include <net/if.h>

#include "base/err.h"
#include "conf/conf.h"

#define NAMES_SLOTS    16384 /* /30 networks in a /16 */
#define NAMES_NETWORKS 32

/* IPv4 addresses are numbers in host order. */
struct network {
	uint32_t address;
	uint32_t prefix;
};

struct names {
	char link[10];        /* prefix of the host's end of every slot: "doze-" */
	char table[64];       /* of nft */
	char group[64];       /* of cgroups, below ours */
	struct network slots; /* a /16 */
	struct network allowed[NAMES_NETWORKS];
	size_t n_allowed;
	uint32_t n_slots, uid_first;
	uint16_t api_port, s3_port; /* at SLOT_API_IP; 0: nobody has an API there */
};

int names_init(struct names *n, const struct conf *conf, struct err *e) must_check;

void names_link(const struct names *n, uint32_t slot, char out[IFNAMSIZ]);
/* Returns the slot whose host end has this name, or -1. */
int names_link_slot(const struct names *n, const char *link);
/* Tells whether this is the name of the host end of a slot, of any instance. */
bool names_is_link(const char *link);
/* Reads a number below @below in the form in which names_link and the netns directory write it, or
 * returns -1. */
int names_number(const char *text, uint32_t below);

uint32_t names_host_ip(const struct names *n, uint32_t slot);
uint32_t names_slot_ip(const struct names *n, uint32_t slot);
uint32_t names_uid(const struct names *n, uint32_t slot);

/* Tells whether @id, which has @room bytes, is @kind ('m' or 'b'), '-', a uuid and a NUL. */
bool names_id_valid(const char *id, size_t room, char kind);

/* Reads a list such as "10.0.0.0/8, 192.0.2.7" and returns how many networks it has, or -1. */
int names_networks(const char *text, struct network *out, size_t room, struct err *e) must_check;

#endif
