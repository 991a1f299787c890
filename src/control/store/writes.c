/* writes.c - what a transaction may do to each table (contract: store.h). */

#include "control/store/store.h"
#include "control/store/txn.h"

static char *store_path(enum store_table table, const void *row)
{
	autobuf struct buf path = { 0 };

	if (!store_tables[table].root)
		return NULL;
	sql_path(table, row, &path);
	return xstrdup(buf_str(&path));
}

static void store_put(struct store_txn *t, enum store_table table, const void *row)
{
	struct sql_value v[SQL_MAX_VALUES];

	txn_add(t, SQL_PUTS + table, store_path(table, row), v, sql_values(table, row, v));
}

/* Only the members of the key count. */
static void store_del(struct store_txn *t, enum store_table table, const void *row)
{
	struct sql_value v[SQL_MAX_VALUES];

	txn_add(t, SQL_DELS + table, store_path(table, row), v, sql_key(table, row, v));
}

void store_put_image(struct store_txn *t, const struct store_image *row)
{
	store_put(t, TABLE_IMAGE, row);
}

void store_put_version(struct store_txn *t, const struct store_version *row)
{
	store_put(t, TABLE_VERSION, row);
}

void store_put_build(struct store_txn *t, const struct store_build *row)
{
	store_put(t, TABLE_BUILD, row);
}

void store_put_microvm(struct store_txn *t, const struct store_microvm *row)
{
	store_put(t, TABLE_MICROVM, row);
}

void store_put_token(struct store_txn *t, const struct store_token *row)
{
	store_put(t, TABLE_TOKEN, row);
}

void store_put_published(struct store_txn *t, const struct store_published *row)
{
	store_put(t, TABLE_PUBLISHED, row);
}

void store_put_account(struct store_txn *t, const struct store_account *row)
{
	store_put(t, TABLE_ACCOUNT, row);
}

void store_put_access_key(struct store_txn *t, const struct store_access_key *row)
{
	store_put(t, TABLE_ACCESS_KEY, row);
}

void store_put_connector(struct store_txn *t, const struct store_connector *row)
{
	store_put(t, TABLE_CONNECTOR, row);
}

void store_put_connector_version(struct store_txn *t, const struct store_connector_version *row)
{
	store_put(t, TABLE_CONNECTOR_VERSION, row);
}

void store_put_kms_key(struct store_txn *t, const struct store_kms_key *row)
{
	store_put(t, TABLE_KMS_KEY, row);
}

void store_put_log_group(struct store_txn *t, const struct store_log_group *row)
{
	store_put(t, TABLE_LOG_GROUP, row);
}

void store_put_log_stream(struct store_txn *t, const struct store_log_stream *row)
{
	store_put(t, TABLE_LOG_STREAM, row);
}

void store_del_image(struct store_txn *t, const char *id)
{
	store_del(t, TABLE_IMAGE, &(struct store_image){ .id = id });
}

void store_del_version(struct store_txn *t, const char *image, int64_t version)
{
	store_del(t, TABLE_VERSION, &(struct store_version){ .image = image, .version = version });
}

void store_del_microvm(struct store_txn *t, const char *id)
{
	store_del(t, TABLE_MICROVM, &(struct store_microvm){ .id = id });
}

void store_del_published(struct store_txn *t, int64_t port)
{
	store_del(t, TABLE_PUBLISHED, &(struct store_published){ .port = port });
}

void store_del_account(struct store_txn *t, const char *id)
{
	store_del(t, TABLE_ACCOUNT, &(struct store_account){ .id = id });
}

void store_del_access_key(struct store_txn *t, const char *id)
{
	store_del(t, TABLE_ACCESS_KEY, &(struct store_access_key){ .id = id });
}

void store_del_connector(struct store_txn *t, const char *id)
{
	store_del(t, TABLE_CONNECTOR, &(struct store_connector){ .id = id });
}

void store_del_connector_version(struct store_txn *t, const char *connector, int64_t version)
{
	store_del(t, TABLE_CONNECTOR_VERSION,
		  &(struct store_connector_version){ .connector = connector, .version = version });
}

void store_del_kms_key(struct store_txn *t, const char *id)
{
	store_del(t, TABLE_KMS_KEY, &(struct store_kms_key){ .id = id });
}

void store_del_log_group(struct store_txn *t, const char *account, const char *name)
{
	store_del(t, TABLE_LOG_GROUP,
		  &(struct store_log_group){ .account = account, .name = name });
}

void store_del_log_stream(struct store_txn *t, const char *id)
{
	store_del(t, TABLE_LOG_STREAM, &(struct store_log_stream){ .id = id });
}

void store_del_tokens_before(struct store_txn *t, int64_t created_ms)
{
	txn_add(t, SQL_DEL_TOKENS_BEFORE, NULL, &(struct sql_value){ false, created_ms, NULL }, 1);
}
