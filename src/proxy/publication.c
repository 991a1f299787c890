#include "proxy/publication.h"

#include <stdio.h>

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

bool publication_admits(const struct publication *pub, const struct sockaddr_storage *from)
{
	int64_t most = pub->proxy->conf->clients.published_connections;
	char text[ROUTE_NOTE_SIZE];

	if (!publication_is_from(pub, from)) {
		snprintf(text, sizeof(text),
			 "a client of the published port %u was refused: its address is in none of "
			 "the ranges that may come",
			 pub->row.port);
		return publication_refuse(pub, REFUSAL_SOURCE, text);
	}
	if (pub->route->n_published < (size_t)most)
		return true;
	snprintf(text, sizeof(text),
		 "a client of the published port %u was refused: there are %lld of them, as many "
		 "as [limits] published_connections allows",
		 pub->row.port, (long long)most);
	return publication_refuse(pub, REFUSAL_PUBLISHED_CONNECTIONS, text);
}

struct quota_source *publication_source(const struct publication *pub,
					const struct sockaddr_storage *from)
{
	struct quota_source *source = quota_source(pub->proxy->quota, from);
	char text[ROUTE_NOTE_SIZE];

	if (quota_room(source) == QUOTA_ROOM)
		return source;
	quota_drop(source);
	snprintf(text, sizeof(text),
		 "a client of the published port %u was refused: its address, or all of them, have "
		 "as many connections as [limits] allows",
		 pub->row.port);
	(void)publication_refuse(pub, REFUSAL_ADDRESS_CONNECTIONS, text);
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
