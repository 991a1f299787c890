#include "control/store/tables.h"

#include "base/base.h"
#include "ipc/format.h"

/* What a name is followed by: is it text, of the key, of the path. */
#define COLUMN_TEXT(s, m)     #m, true, false, false, offsetof(struct s, m)
#define COLUMN_KEY(s, m)      #m, true, true, true, offsetof(struct s, m)
#define COLUMN_PATH(s, m)     #m, true, false, true, offsetof(struct s, m)
#define COLUMN_INT(s, m)      #m, false, false, false, offsetof(struct s, m)
#define COLUMN_KEY_INT(s, m)  #m, false, true, true, offsetof(struct s, m)
#define COLUMN_PATH_INT(s, m) #m, false, false, true, offsetof(struct s, m)

/* clang-format off */
static const struct sql_column image_columns[] = {
	{ COLUMN_KEY(store_image, id) },             { COLUMN_TEXT(store_image, account) },
	{ COLUMN_TEXT(store_image, name) },          { COLUMN_TEXT(store_image, state) },
	{ COLUMN_INT(store_image, created_ms) },     { COLUMN_INT(store_image, updated_ms) },
	{ COLUMN_INT(store_image, next_version) },   { COLUMN_INT(store_image, latest_active) },
	{ COLUMN_INT(store_image, latest_failed) },  { COLUMN_TEXT(store_image, tags) },
};

static const struct sql_column version_columns[] = {
	{ COLUMN_KEY(store_version, image) },
	{ COLUMN_KEY_INT(store_version, version) },
	{ COLUMN_TEXT(store_version, state) },       { COLUMN_TEXT(store_version, status) },
	{ COLUMN_TEXT(store_version, reason) },      { COLUMN_INT(store_version, created_ms) },
	{ COLUMN_INT(store_version, updated_ms) },   { COLUMN_TEXT(store_version, params) },
	{ COLUMN_TEXT(store_version, made) },
};

static const struct sql_column build_columns[] = {
	{ COLUMN_PATH(store_build, image) },         { COLUMN_PATH_INT(store_build, version) },
	{ COLUMN_KEY(store_build, id) },             { COLUMN_TEXT(store_build, state) },
	{ COLUMN_TEXT(store_build, code) },          { COLUMN_TEXT(store_build, reason) },
	{ COLUMN_INT(store_build, created_ms) },     { COLUMN_INT(store_build, updated_ms) },
	{ COLUMN_INT(store_build, memory_bytes) },   { COLUMN_INT(store_build, code_bytes) },
	{ COLUMN_INT(store_build, disk_bytes) },
};

static const struct sql_column microvm_columns[] = {
	{ COLUMN_KEY(store_microvm, id) },           { COLUMN_TEXT(store_microvm, account) },
	{ COLUMN_TEXT(store_microvm, endpoint) },    { COLUMN_TEXT(store_microvm, image) },
	{ COLUMN_INT(store_microvm, version) },      { COLUMN_TEXT(store_microvm, state) },
	{ COLUMN_TEXT(store_microvm, reason) },      { COLUMN_TEXT(store_microvm, machine) },
	{ COLUMN_TEXT(store_microvm, boot_id) },     { COLUMN_INT(store_microvm, save) },
	{ COLUMN_INT(store_microvm, started_ms) },   { COLUMN_INT(store_microvm, terminated_ms) },
	{ COLUMN_INT(store_microvm, suspended_ms) }, { COLUMN_INT(store_microvm, last_byte_ms) },
	{ COLUMN_TEXT(store_microvm, params) },
};

static const struct sql_column token_columns[] = {
	{ COLUMN_KEY(store_token, account) },        { COLUMN_KEY(store_token, op) },
	{ COLUMN_KEY(store_token, token) },          { COLUMN_TEXT(store_token, params_hash) },
	{ COLUMN_TEXT(store_token, answer) },        { COLUMN_INT(store_token, created_ms) },
};

static const struct sql_column published_columns[] = {
	{ COLUMN_KEY_INT(store_published, port) },
	{ COLUMN_TEXT(store_published, microvm) },   { COLUMN_TEXT(store_published, protocol) },
	{ COLUMN_INT(store_published, target) },     { COLUMN_TEXT(store_published, listen) },
	{ COLUMN_TEXT(store_published, sources) },   { COLUMN_INT(store_published, created_ms) },
};

static const struct sql_column account_columns[] = {
	{ COLUMN_KEY(store_account, id) },           { COLUMN_TEXT(store_account, name) },
	{ COLUMN_TEXT(store_account, state) },       { COLUMN_INT(store_account, created_ms) },
	{ COLUMN_TEXT(store_account, params) },
};

static const struct sql_column access_key_columns[] = {
	{ COLUMN_KEY(store_access_key, id) },        { COLUMN_TEXT(store_access_key, account) },
	{ COLUMN_TEXT(store_access_key, name) },     { COLUMN_TEXT(store_access_key, secret) },
	{ COLUMN_TEXT(store_access_key, session) },  { COLUMN_TEXT(store_access_key, arn) },
	{ COLUMN_TEXT(store_access_key, policy) },   { COLUMN_TEXT(store_access_key, state) },
	{ COLUMN_INT(store_access_key, created_ms) },{ COLUMN_INT(store_access_key, expires_ms) },
};

static const struct sql_column connector_columns[] = {
	{ COLUMN_KEY(store_connector, id) },         { COLUMN_TEXT(store_connector, account) },
	{ COLUMN_TEXT(store_connector, name) },      { COLUMN_TEXT(store_connector, state) },
	{ COLUMN_TEXT(store_connector, reason) },    { COLUMN_INT(store_connector, version) },
	{ COLUMN_INT(store_connector, created_ms) }, { COLUMN_INT(store_connector, updated_ms) },
	{ COLUMN_TEXT(store_connector, tags) },      { COLUMN_TEXT(store_connector, params) },
};

static const struct sql_column connector_version_columns[] = {
	{ COLUMN_KEY(store_connector_version, connector) },
	{ COLUMN_KEY_INT(store_connector_version, version) },
	{ COLUMN_TEXT(store_connector_version, state) },
	{ COLUMN_INT(store_connector_version, created_ms) },
	{ COLUMN_TEXT(store_connector_version, params) },
};

static const struct sql_column kms_key_columns[] = {
	{ COLUMN_KEY(store_kms_key, id) },           { COLUMN_TEXT(store_kms_key, account) },
	{ COLUMN_TEXT(store_kms_key, alias) },       { COLUMN_TEXT(store_kms_key, wrapped) },
	{ COLUMN_TEXT(store_kms_key, state) },       { COLUMN_INT(store_kms_key, created_ms) },
	{ COLUMN_TEXT(store_kms_key, params) },
};

static const struct sql_column log_group_columns[] = {
	{ COLUMN_KEY(store_log_group, account) },    { COLUMN_KEY(store_log_group, name) },
	{ COLUMN_INT(store_log_group, retention_days) },
	{ COLUMN_INT(store_log_group, created_ms) }, { COLUMN_TEXT(store_log_group, params) },
};

static const struct sql_column log_stream_columns[] = {
	{ COLUMN_KEY(store_log_stream, id) },         { COLUMN_TEXT(store_log_stream, account) },
	{ COLUMN_TEXT(store_log_stream, log_group) }, { COLUMN_TEXT(store_log_stream, name) },
	{ COLUMN_INT(store_log_stream, of_build) },   { COLUMN_INT(store_log_stream, created_ms) },
	{ COLUMN_INT(store_log_stream, ended_ms) },
};
/* clang-format on */

static void load_image(const struct store_loader *to, void *arg, const void *row)
{
	if (to->image)
		to->image(arg, row);
}

static void load_version(const struct store_loader *to, void *arg, const void *row)
{
	if (to->version)
		to->version(arg, row);
}

static void load_build(const struct store_loader *to, void *arg, const void *row)
{
	if (to->build)
		to->build(arg, row);
}

static void load_microvm(const struct store_loader *to, void *arg, const void *row)
{
	if (to->microvm)
		to->microvm(arg, row);
}

static void load_token(const struct store_loader *to, void *arg, const void *row)
{
	if (to->token)
		to->token(arg, row);
}

static void load_published(const struct store_loader *to, void *arg, const void *row)
{
	if (to->published)
		to->published(arg, row);
}

static void load_account(const struct store_loader *to, void *arg, const void *row)
{
	if (to->account)
		to->account(arg, row);
}

static void load_access_key(const struct store_loader *to, void *arg, const void *row)
{
	if (to->access_key)
		to->access_key(arg, row);
}

static void load_connector(const struct store_loader *to, void *arg, const void *row)
{
	if (to->connector)
		to->connector(arg, row);
}

static void load_connector_version(const struct store_loader *to, void *arg, const void *row)
{
	if (to->connector_version)
		to->connector_version(arg, row);
}

static void load_kms_key(const struct store_loader *to, void *arg, const void *row)
{
	if (to->kms_key)
		to->kms_key(arg, row);
}

static void load_log_group(const struct store_loader *to, void *arg, const void *row)
{
	if (to->log_group)
		to->log_group(arg, row);
}

static void load_log_stream(const struct store_loader *to, void *arg, const void *row)
{
	if (to->log_stream)
		to->log_stream(arg, row);
}

#define TABLE(t) .name = #t, .columns = t##_columns, .n = ARRAY_SIZE(t##_columns), .load = load_##t

const struct sql_table store_tables[STORE_NUM_TABLES] = {
	[TABLE_LOG_GROUP] = { TABLE(log_group) },
	[TABLE_LOG_STREAM] = { TABLE(log_stream) },
	[TABLE_IMAGE] = { TABLE(image), .root = "image" },
	[TABLE_VERSION] = { TABLE(version), .root = "image" },
	[TABLE_BUILD] = { TABLE(build), .root = "image" },
	[TABLE_MICROVM] = { TABLE(microvm), .root = "microvm" },
	[TABLE_TOKEN] = { TABLE(token) },
	[TABLE_PUBLISHED] = { TABLE(published), .order = "port" },
	[TABLE_ACCOUNT] = { TABLE(account) },
	[TABLE_ACCESS_KEY] = { TABLE(access_key) },
	[TABLE_CONNECTOR] = { TABLE(connector), .root = "connector" },
	[TABLE_CONNECTOR_VERSION] = { TABLE(connector_version) },
	[TABLE_KMS_KEY] = { TABLE(kms_key) },
};

/* Step N brings a database of format N to N + 1.  A step that was released never changes. */
const char *const store_migrations[] = {
	"CREATE TABLE image (id TEXT PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL,"
	" created_ms INTEGER, updated_ms INTEGER, next_version INTEGER, latest_active INTEGER,"
	" latest_failed INTEGER, tags TEXT);"
	"CREATE TABLE version (image TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE,"
	" version INTEGER NOT NULL, state TEXT NOT NULL, status TEXT NOT NULL, reason TEXT,"
	" created_ms INTEGER, updated_ms INTEGER, params TEXT, made TEXT,"
	" PRIMARY KEY (image, version));"
	"CREATE TABLE build (id TEXT PRIMARY KEY, image TEXT NOT NULL, version INTEGER NOT NULL,"
	" state TEXT NOT NULL, code TEXT, reason TEXT, created_ms INTEGER, updated_ms INTEGER,"
	" memory_bytes INTEGER, code_bytes INTEGER, disk_bytes INTEGER, FOREIGN KEY (image,"
	" version) REFERENCES version (image, version) ON DELETE CASCADE);"
	"CREATE INDEX build_version ON build (image, version);"
	"CREATE TABLE microvm (id TEXT PRIMARY KEY, endpoint TEXT NOT NULL UNIQUE,"
	" image TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT,"
	" machine TEXT, boot_id TEXT, save INTEGER, started_ms INTEGER, terminated_ms INTEGER,"
	" suspended_ms INTEGER, last_byte_ms INTEGER, params TEXT);"
	"CREATE TABLE token (op TEXT NOT NULL, token TEXT NOT NULL, params_hash TEXT,"
	" answer TEXT, created_ms INTEGER, PRIMARY KEY (op, token));"
	"CREATE INDEX token_created ON token (created_ms);",
	"CREATE TABLE published (port INTEGER PRIMARY KEY, microvm TEXT NOT NULL,"
	" protocol TEXT NOT NULL, target INTEGER NOT NULL, listen TEXT NOT NULL, sources TEXT,"
	" created_ms INTEGER);",
	/* Rows that are older than accounts get one by store_place.account. */
	"ALTER TABLE image ADD COLUMN account TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE image ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE version ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE build ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE microvm ADD COLUMN account TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE microvm ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE token RENAME TO token_2;"
	"DROP INDEX token_created;"
	"CREATE TABLE token (account TEXT NOT NULL, op TEXT NOT NULL, token TEXT NOT NULL,"
	" params_hash TEXT, answer TEXT, created_ms INTEGER, PRIMARY KEY (account, op, token));"
	"INSERT INTO token (account, op, token, params_hash, answer, created_ms)"
	" SELECT '', op, token, params_hash, answer, created_ms FROM token_2;"
	"DROP TABLE token_2;"
	"CREATE INDEX token_created ON token (created_ms);"
	"CREATE TABLE account (id TEXT PRIMARY KEY, name TEXT, state TEXT NOT NULL,"
	" created_ms INTEGER, params TEXT);"
	"CREATE TABLE access_key (id TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT,"
	" secret TEXT NOT NULL, session TEXT, arn TEXT, policy TEXT, state TEXT NOT NULL,"
	" created_ms INTEGER, expires_ms INTEGER);"
	"CREATE TABLE connector (id TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL,"
	" state TEXT NOT NULL, reason TEXT, version INTEGER, created_ms INTEGER,"
	" updated_ms INTEGER, tags TEXT, params TEXT, revision INTEGER NOT NULL DEFAULT 1);"
	"CREATE TABLE connector_version (connector TEXT NOT NULL REFERENCES connector (id)"
	" ON DELETE CASCADE, version INTEGER NOT NULL, state TEXT NOT NULL, created_ms INTEGER,"
	" params TEXT, PRIMARY KEY (connector, version));"
	"CREATE TABLE kms_key (id TEXT PRIMARY KEY, account TEXT NOT NULL, alias TEXT,"
	" wrapped TEXT NOT NULL, state TEXT NOT NULL, created_ms INTEGER, params TEXT);"
	"CREATE TABLE log_group (account TEXT NOT NULL, name TEXT NOT NULL,"
	" retention_days INTEGER, created_ms INTEGER, params TEXT, PRIMARY KEY (account, name));",
	"CREATE TABLE log_stream (id TEXT PRIMARY KEY, account TEXT NOT NULL,"
	" log_group TEXT NOT NULL, name TEXT NOT NULL, of_build INTEGER, created_ms INTEGER,"
	" ended_ms INTEGER);",
};
static_assert(ARRAY_SIZE(store_migrations) == STORE_FORMAT, "a format without a migration");
