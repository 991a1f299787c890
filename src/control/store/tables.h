/* tables.h - the store's tables as data, from which statements, binding and loading follow. */
#ifndef CONTROL_STORE_TABLES_H
#define CONTROL_STORE_TABLES_H

#include "control/store/rows.h"

enum store_table {
	TABLE_LOG_GROUP,
	TABLE_LOG_STREAM,
	TABLE_IMAGE, /* versions and builds follow it when it is deleted */
	TABLE_VERSION,
	TABLE_BUILD,
	TABLE_MICROVM,
	TABLE_TOKEN,
	TABLE_PUBLISHED,
	TABLE_ACCOUNT,
	TABLE_ACCESS_KEY,
	TABLE_CONNECTOR, /* likewise its versions */
	TABLE_CONNECTOR_VERSION,
	TABLE_KMS_KEY,
	STORE_NUM_TABLES,
};

struct sql_column {
	const char *name;
	bool is_text, is_key;
	bool is_path;  /* of the way from the root to this row */
	size_t offset; /* in the row's struct */
};

struct sql_table {
	const char *name;
	const struct sql_column *columns;
	size_t n;
	void (*load)(const struct store_loader *to, void *arg, const void *row);
	/* Given: its rows have a revision, and are found from rows of that table.  NULL: a put
	 * replaces whatever is there. */
	const char *root;
	const char *order; /* of loading; NULL: that of creation */
};

extern const struct sql_table store_tables[STORE_NUM_TABLES];

/* As large as the largest. */
union store_row {
	struct store_image image;
	struct store_version version;
	struct store_build build;
	struct store_microvm microvm;
	struct store_token token;
	struct store_published published;
	struct store_account account;
	struct store_access_key access_key;
	struct store_connector connector;
	struct store_connector_version connector_version;
	struct store_kms_key kms_key;
	struct store_log_group log_group;
	struct store_log_stream log_stream;
};

/* Step N brings a database of format N to N + 1. */
extern const char *const store_migrations[];

#endif
