#include "conf/listen.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static int listen_family(const char *address, uint8_t raw[16])
{
	if (inet_pton(AF_INET, address, raw) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, address, raw) == 1 ? AF_INET6 : 0;
}

bool listen_is_address(const char *text)
{
	uint8_t raw[16];

	return listen_family(text, raw) != 0;
}

bool listen_is_wild(const char *address)
{
	uint8_t raw[16] = { 0 };
	static const uint8_t none[16];

	return listen_family(address, raw) && !memcmp(raw, none, sizeof(raw));
}

bool listen_is_loopback(const char *address)
{
	static const uint8_t one[16] = { [15] = 1 };
	uint8_t raw[16] = { 0 };
	int family = listen_family(address, raw);

	return family == AF_INET ? raw[0] == 127 : family && !memcmp(raw, one, sizeof(raw));
}

static bool listen_has(const struct listen_addresses *a, const char *address)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strcmp(a->at[i], address))
			return true;
	return false;
}

/* In the one form that an address has. */
static int listen_add(struct listen_addresses *to, const char *address, struct err *e)
{
	char form[INET6_ADDRSTRLEN];
	uint8_t raw[16] = { 0 };
	int family = listen_family(address, raw);

	if (!family)
		return err_set(e, ERR_INVALID,
			       "'%s' is no address: give IPv4 or IPv6 addresses with blanks "
			       "between them, as in '127.0.0.1 192.0.2.7 ::1'",
			       address);
	inet_ntop(family, raw, form, sizeof(form));
	if (listen_has(to, form))
		return 0;
	if (to->n == LISTEN_ADDRESSES - 2)
		return err_set(e, ERR_INVALID, "there may be %d addresses, not more",
			       LISTEN_ADDRESSES - 2);
	memcpy(to->at[to->n++], form, sizeof(form));
	return 0;
}

static void listen_add_loopback(struct listen_addresses *to, const char *wild, const char *address)
{
	if (!listen_has(to, wild) && !listen_has(to, address))
		snprintf(to->at[to->n++], INET6_ADDRSTRLEN, "%s", address);
}

int listen_read(const char *text, struct listen_addresses *to, struct err *e)
{
	autofree char *copy = xstrdup(text);
	char *save = NULL;

	*to = (struct listen_addresses){ 0 };
	for (char *word = strtok_r(copy, " \t,", &save); word; word = strtok_r(NULL, " \t,", &save))
		if (listen_add(to, word, e))
			return -1;
	listen_add_loopback(to, "0.0.0.0", "127.0.0.1");
	listen_add_loopback(to, "::", "::1");
	return 0;
}
