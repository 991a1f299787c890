#include "priv/names.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/rand.h"

#define NAMES_HASH_DIGITS 5

/* An interface name has 15 characters at most, so an instance is named by five digits of a hash
 * (FNV-1a). */
static uint32_t names_hash(const char *text)
{
	return hash_fnv1a_32(text, strlen(text)) & 0xfffff;
}

int names_init(struct names *n, const struct conf *conf, struct err *e)
{
	const char *instance = conf->instance;
	int allowed;

	*n = (struct names){ .uid_first = (uint32_t)conf->uid_first };
	if (conf_guests_have_api(conf)) {
		n->api_port = (uint16_t)conf->api_port;
		n->s3_port = (uint16_t)conf->s3_port;
	}
	n->n_slots = conf->uid_count < NAMES_SLOTS ? (uint32_t)conf->uid_count : NAMES_SLOTS;
	if (*instance)
		snprintf(n->link, sizeof(n->link), "dz%0*x-", NAMES_HASH_DIGITS,
			 names_hash(instance));
	else
		snprintf(n->link, sizeof(n->link), "doze-");
	snprintf(n->group, sizeof(n->group), "doze%s%s", *instance ? "-" : "", instance);
	snprintf(n->table, sizeof(n->table), "doze%s%s", *instance ? "_" : "", instance);
	for (char *c = n->table; *c; c++)
		if (!isalnum((unsigned char)*c))
			*c = '_';
	if (names_networks(conf->slot_network, &n->slots, 1, e) != 1 || n->slots.prefix != 16)
		return err_set(e, ERR_INVALID, "[network] slots = '%s': give one /16",
			       conf->slot_network);
	allowed = names_networks(conf->allow_private, n->allowed, NAMES_NETWORKS, e);
	if (allowed < 0)
		return err_wrap(e, "[network] allow_private");
	n->n_allowed = (size_t)allowed;
	return 0;
}

void names_link(const struct names *n, uint32_t slot, char out[IFNAMSIZ])
{
	snprintf(out, IFNAMSIZ, "%.*s%u", (int)sizeof(n->link) - 1, n->link, slot % NAMES_SLOTS);
}

int names_number(const char *text, uint32_t below)
{
	char again[16];
	unsigned long number = strtoul(text, NULL, 10);

	if (number >= below)
		return -1;
	snprintf(again, sizeof(again), "%lu", number);
	return strcmp(text, again) != 0 ? -1 : (int)number;
}

int names_link_slot(const struct names *n, const char *link)
{
	size_t len = strlen(n->link);

	return strncmp(link, n->link, len) != 0 ? -1 : names_number(link + len, NAMES_SLOTS);
}

bool names_is_link(const char *link)
{
	if (!strncmp(link, "dz", 2) && strspn(link + 2, "0123456789abcdef") == NAMES_HASH_DIGITS)
		return link[2 + NAMES_HASH_DIGITS] == '-';
	return !strncmp(link, "doze-", 5);
}

uint32_t names_host_ip(const struct names *n, uint32_t slot)
{
	return n->slots.address + slot * 4 + 1;
}

uint32_t names_slot_ip(const struct names *n, uint32_t slot)
{
	return n->slots.address + slot * 4 + 2;
}

uint32_t names_uid(const struct names *n, uint32_t slot)
{
	return n->uid_first + slot;
}

bool names_id_valid(const char *id, size_t room, char kind)
{
	return memchr(id, '\0', room) && id[0] == kind && id[1] == '-' && uuid_valid(id + 2);
}

static bool names_network(const char *text, struct network *out)
{
	char address[INET_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	struct in_addr in;
	int prefix = text[len] ? names_number(text + len + 1, 33) : 32;

	if (len >= sizeof(address) || prefix < 0)
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (inet_pton(AF_INET, address, &in) != 1)
		return false;
	out->prefix = (uint32_t)prefix;
	out->address = ntohl(in.s_addr) & (prefix ? ~0U << (32 - prefix) : 0);
	return true;
}

int names_networks(const char *text, struct network *out, size_t room, struct err *e)
{
	autofree char *copy = xstrdup(text);
	char *rest = copy, *item;
	size_t n = 0;

	while ((item = strtok_r(rest, ", \t", &rest))) {
		if (n == room)
			return err_set(e, ERR_INVALID, "'%s': more than %zu networks", text, room);
		if (!names_network(item, &out[n++]))
			return err_set(e, ERR_INVALID,
				       "'%s' is not an IPv4 network such as 10.0.0.0/8", item);
	}
	return (int)n;
}
