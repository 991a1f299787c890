#include "proxy/publication.h"

#include <stdio.h>

#include "base/clock.h"
#include "proxy/rates.h"
#include "proxy/recording.h"

bool publication_row_is_sane(const struct route_publish *row)
{
	if (!row->port || !row->target || row->datagrams > 1 || row->serves > 1 ||
	    row->n_sources > ROUTE_SOURCES)
		return false;
	for (size_t i = 0; i < row->n_sources; i++)
		if (!cidr_is_sane(&row->sources[i]))
			return false;
	return true;
}

bool publication_is_from(const struct publication *pub, const struct sockaddr_storage *from)
{
	const struct route_publish *row = &pub->row;

	for (size_t i = 0; i < row->n_sources; i++)
		if (cidr_has(&row->sources[i], from))
			return true;
	return !row->n_sources;
}

static bool publication_refuse(const struct publication *pub, enum refusal why, const char *text)
{
	recording_refused(pub->proxy, pub->route, why);
	control_note(pub->proxy, pub->route, text);
	return false;
}

/* The sentences end with what the limit is. */
static bool publication_says(const struct publication *pub, enum refusal why, const char *what)
{
	char text[ROUTE_NOTE_SIZE];

	snprintf(text, sizeof(text), "a client of the published port %u was refused: %s",
		 pub->row.port, what);
	return publication_refuse(pub, why, text);
}

bool publication_admits(const struct publication *pub, const struct sockaddr_storage *from)
{
	int64_t most = pub->proxy->conf->clients.published_connections;
	char text[160];

	if (!publication_is_from(pub, from))
		return publication_says(pub, REFUSAL_SOURCE,
					"its address is in none of the ranges that may come");
	if (pub->route->n_published < (size_t)most)
		return true;
	snprintf(text, sizeof(text),
		 "there are %lld of them, as many as [limits] published_connections allows",
		 (long long)most);
	return publication_says(pub, REFUSAL_PUBLISHED_CONNECTIONS, text);
}

/* The rates come last, so that who is refused for another reason does not use them up. */
static bool publication_is_slow_enough(const struct publication *pub,
				       const struct quota_source *source)
{
	struct proxy *p = pub->proxy;
	int64_t per_address = p->conf->clients.published_rate_per_address, now = clock_mono_us();
	uint64_t address = 0;

	per_address = (per_address + p->n_workers - 1) / p->n_workers;
	for (size_t i = 0; i < sizeof(source->address); i++)
		address = address << 8 | source->address[i];
	if (source->address_size < sizeof(source->address)) /* no prefix of IPv6 begins so */
		address = address >> 32 | (uint64_t)UINT32_MAX << 32;
	if (!rates_pass(p->rates, address, (unsigned)per_address, now))
		return publication_says(pub, REFUSAL_ADDRESS_RATE,
					"more came from its address in a second than [limits] "
					"published_rate_per_address allows");
	if (!worker_shares_publish(&p->shares, p->conf, pub->route, now))
		return publication_says(
			pub, REFUSAL_PUBLISHED_RATE,
			"more came in a second than [limits] published_rate allows");
	return true;
}

struct quota_source *publication_source(const struct publication *pub,
					const struct sockaddr_storage *from)
{
	struct quota_source *source = quota_source(pub->proxy->quota, from);
	bool room = quota_room(source) == QUOTA_ROOM;

	if (room && publication_is_slow_enough(pub, source))
		return source;
	quota_drop(source);
	if (!room)
		(void)publication_says(pub, REFUSAL_ADDRESS_CONNECTIONS,
				       "its address, or all of them, have as many connections as "
				       "[limits] allows");
	return NULL;
}

void publication_enter(struct publication *pub)
{
	pub->route->n_published++;
}

void publication_leave(struct route *r)
{
	r->n_published--;
}
