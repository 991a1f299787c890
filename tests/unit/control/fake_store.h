/* fake_store.h - a store in memory that answers when it is told to, and as it is told to. */
#ifndef TESTS_CONTROL_FAKE_STORE_H
#define TESTS_CONTROL_FAKE_STORE_H

#include <jansson.h>

#include "control/store/store.h"
#include "control/store/tables.h"

void fake_store_clear(void);
size_t fake_store_waiting(void); /* transactions that were committed and not answered */
/* The oldest of them becomes durable, or (@e not NULL) is refused and leaves no trace. */
void fake_store_answer(const struct err *e);

enum fake_table {
	FAKE_IMAGES = TABLE_IMAGE,
	FAKE_VERSIONS = TABLE_VERSION,
	FAKE_BUILDS = TABLE_BUILD,
	FAKE_MICROVMS = TABLE_MICROVM,
	FAKE_TOKENS = TABLE_TOKEN,
	FAKE_PUBLISHED = TABLE_PUBLISHED,
	FAKE_ACCOUNTS = TABLE_ACCOUNT,
	FAKE_ACCESS_KEYS = TABLE_ACCESS_KEY,
	FAKE_CONNECTORS = TABLE_CONNECTOR,
	FAKE_CONNECTOR_VERSIONS = TABLE_CONNECTOR_VERSION,
	FAKE_KMS_KEYS = TABLE_KMS_KEY,
	FAKE_LOG_GROUPS = TABLE_LOG_GROUP,
	FAKE_LOG_STREAMS = TABLE_LOG_STREAM,
};
size_t fake_store_rows(enum fake_table table);
/* The value of a row's column as text; NULL: there is no such row, or it is null. */
const char *fake_store_text(enum fake_table table, size_t row, const char *column);

#endif
