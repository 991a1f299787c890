#include "fake_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"

/* Rows are JSON; "key" is the primary key. */
struct fake_op {
	enum fake_table table;
	char *key;
	bool prefix;    /* every key that begins so */
	json_t *row;    /* NULL: delete */
	int64_t before; /* of tokens: older ones; 0: by the key */
};

struct store_txn {
	struct list in_queue;
	struct fake_op ops[16];
	size_t n;
	store_done *done;
	void *arg;
};

static json_t *tables[FAKE_NUM];
static struct list queue = LIST_INIT(queue);

static void txn_free(struct store_txn *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->ops[i].key);
		json_decref(t->ops[i].row);
	}
	free(t);
}

void fake_store_clear(void)
{
	list_each(t, &queue, struct store_txn, in_queue)
	{
		list_del(&t->in_queue);
		txn_free(t);
	}
	for (size_t i = 0; i < FAKE_NUM; i++) {
		json_decref(tables[i]);
		tables[i] = json_array();
	}
}

size_t fake_store_waiting(void)
{
	size_t n = 0;

	list_each(t, &queue, struct store_txn, in_queue) n += t != NULL;
	return n;
}

static const char *row_key(const json_t *row)
{
	return json_string_value(json_object_get(row, "key"));
}

static bool op_meets(const struct fake_op *op, const json_t *row)
{
	if (op->before)
		return json_integer_value(json_object_get(row, "created_ms")) < op->before;
	return op->prefix ? !strncmp(row_key(row), op->key, strlen(op->key))
			  : !strcmp(row_key(row), op->key);
}

static void op_run(const struct fake_op *op)
{
	json_t *table = tables[op->table];

	for (size_t i = 0; i < json_array_size(table);) {
		if (!op_meets(op, json_array_get(table, i))) {
			i++;
			continue;
		}
		if (op->row) {
			json_array_set(table, i, op->row);
			return;
		}
		json_array_remove(table, i);
	}
	if (op->row)
		json_array_append(table, op->row);
}

void fake_store_answer(const struct err *e)
{
	struct store_txn *t = list_first(&queue, struct store_txn, in_queue);

	if (!t)
		abort();
	list_del(&t->in_queue);
	for (size_t i = 0; !e && i < t->n; i++)
		op_run(&t->ops[i]);
	if (t->done)
		t->done(t->arg, e ? -1 : 0, e);
	txn_free(t);
}

size_t fake_store_rows(enum fake_table table)
{
	return json_array_size(tables[table]);
}

const char *fake_store_text(enum fake_table table, size_t row, const char *column)
{
	return json_string_value(json_object_get(json_array_get(tables[table], row), column));
}

struct store_txn *store_begin(struct store *s)
{
	struct store_txn *t = xcalloc(1, sizeof(*t));

	(void)s;
	list_init(&t->in_queue);
	return t;
}

void store_drop(struct store_txn *t)
{
	if (t)
		txn_free(t);
}

void store_commit(struct store_txn *t, store_done *done, void *arg)
{
	t->done = done;
	t->arg = arg;
	list_add(&queue, &t->in_queue);
}

static struct fake_op *txn_add(struct store_txn *t, enum fake_table table, char *key, json_t *row)
{
	struct fake_op *op = &t->ops[t->n++];

	if (t->n > ARRAY_SIZE(t->ops))
		abort();
	*op = (struct fake_op){ .table = table, .key = key, .row = row };
	if (row)
		json_object_set_new(row, "key", json_string(key));
	return op;
}

#define I(row, member) #member, (json_int_t)(row)->member
#define S(row, member) #member, (row)->member

void store_put_image(struct store_txn *t, const struct store_image *r)
{
	txn_add(t, FAKE_IMAGES, xstrdup(r->id),
		json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:s?}", S(r, id), S(r, name),
			  S(r, state), I(r, created_ms), I(r, updated_ms), I(r, next_version),
			  I(r, latest_active), I(r, latest_failed), S(r, tags)));
}

void store_put_version(struct store_txn *t, const struct store_version *r)
{
	txn_add(t, FAKE_VERSIONS, xasprintf("%s/%lld", r->image, (long long)r->version),
		json_pack("{s:s,s:I,s:s,s:s,s:s?,s:I,s:I,s:s?,s:s?}", S(r, image), I(r, version),
			  S(r, state), S(r, status), S(r, reason), I(r, created_ms),
			  I(r, updated_ms), S(r, params), S(r, made)));
}

void store_put_build(struct store_txn *t, const struct store_build *r)
{
	txn_add(t, FAKE_BUILDS, xasprintf("%s/%lld/%s", r->image, (long long)r->version, r->id),
		json_pack("{s:s,s:s,s:I,s:s,s:s?,s:s?,s:I,s:I,s:I,s:I,s:I}", S(r, id), S(r, image),
			  I(r, version), S(r, state), S(r, code), S(r, reason), I(r, created_ms),
			  I(r, updated_ms), I(r, memory_bytes), I(r, code_bytes),
			  I(r, disk_bytes)));
}

void store_put_microvm(struct store_txn *t, const struct store_microvm *r)
{
	txn_add(t, FAKE_MICROVMS, xstrdup(r->id),
		json_pack("{s:s,s:s,s:s,s:I,s:s,s:s?,s:s?,s:s?,s:I,s:I,s:I,s:I,s:I,s:s?}", S(r, id),
			  S(r, endpoint), S(r, image), I(r, version), S(r, state), S(r, reason),
			  S(r, machine), S(r, boot_id), I(r, save), I(r, started_ms),
			  I(r, terminated_ms), I(r, suspended_ms), I(r, last_byte_ms),
			  S(r, params)));
}

void store_put_token(struct store_txn *t, const struct store_token *r)
{
	txn_add(t, FAKE_TOKENS, xasprintf("%s/%s", r->op, r->token),
		json_pack("{s:s,s:s,s:s,s:s?,s:I}", S(r, op), S(r, token), S(r, params_hash),
			  S(r, answer), I(r, created_ms)));
}

void store_put_published(struct store_txn *t, const struct store_published *r)
{
	txn_add(t, FAKE_PUBLISHED, xasprintf("%lld", (long long)r->port),
		json_pack("{s:I,s:s,s:s,s:I,s:s,s:s?,s:I}", I(r, port), S(r, microvm),
			  S(r, protocol), I(r, target), S(r, listen), S(r, sources),
			  I(r, created_ms)));
}

void store_del_published(struct store_txn *t, int64_t port)
{
	txn_add(t, FAKE_PUBLISHED, xasprintf("%lld", (long long)port), NULL);
}

void store_del_image(struct store_txn *t, const char *id)
{
	txn_add(t, FAKE_IMAGES, xstrdup(id), NULL);
	txn_add(t, FAKE_VERSIONS, xasprintf("%s/", id), NULL)->prefix = true;
	txn_add(t, FAKE_BUILDS, xasprintf("%s/", id), NULL)->prefix = true;
}

void store_del_version(struct store_txn *t, const char *image, int64_t version)
{
	txn_add(t, FAKE_VERSIONS, xasprintf("%s/%lld", image, (long long)version), NULL);
	txn_add(t, FAKE_BUILDS, xasprintf("%s/%lld/", image, (long long)version), NULL)->prefix =
		true;
}

void store_del_microvm(struct store_txn *t, const char *id)
{
	txn_add(t, FAKE_MICROVMS, xstrdup(id), NULL);
}

void store_del_tokens_before(struct store_txn *t, int64_t created_ms)
{
	txn_add(t, FAKE_TOKENS, xstrdup(""), NULL)->before = created_ms;
}

static const char *text(const json_t *row, const char *column)
{
	return json_string_value(json_object_get(row, column));
}

static int64_t number(const json_t *row, const char *column)
{
	return json_integer_value(json_object_get(row, column));
}

#define TEXT(m)   .m = text(row, #m)
#define NUMBER(m) .m = number(row, #m)

static void load_image(const struct store_loader *to, void *arg, const json_t *row)
{
	to->image(arg, &(struct store_image){ TEXT(id), TEXT(name), TEXT(state), NUMBER(created_ms),
					      NUMBER(updated_ms), NUMBER(next_version),
					      NUMBER(latest_active), NUMBER(latest_failed),
					      TEXT(tags) });
}

static void load_version(const struct store_loader *to, void *arg, const json_t *row)
{
	to->version(arg, &(struct store_version){ TEXT(image), NUMBER(version), TEXT(state),
						  TEXT(status), TEXT(reason), NUMBER(created_ms),
						  NUMBER(updated_ms), TEXT(params), TEXT(made) });
}

static void load_build(const struct store_loader *to, void *arg, const json_t *row)
{
	to->build(arg, &(struct store_build){ TEXT(id), TEXT(image), NUMBER(version), TEXT(state),
					      TEXT(code), TEXT(reason), NUMBER(created_ms),
					      NUMBER(updated_ms), NUMBER(memory_bytes),
					      NUMBER(code_bytes), NUMBER(disk_bytes) });
}

static void load_microvm(const struct store_loader *to, void *arg, const json_t *row)
{
	to->microvm(arg, &(struct store_microvm){
				 TEXT(id), TEXT(endpoint), TEXT(image), NUMBER(version),
				 TEXT(state), TEXT(reason), TEXT(machine), TEXT(boot_id),
				 NUMBER(save), NUMBER(started_ms), NUMBER(terminated_ms),
				 NUMBER(suspended_ms), NUMBER(last_byte_ms), TEXT(params) });
}

static void load_token(const struct store_loader *to, void *arg, const json_t *row)
{
	to->token(arg, &(struct store_token){ TEXT(op), TEXT(token), TEXT(params_hash),
					      TEXT(answer), NUMBER(created_ms) });
}

static void load_published(const struct store_loader *to, void *arg, const json_t *row)
{
	to->published(arg, &(struct store_published){ NUMBER(port), TEXT(microvm), TEXT(protocol),
						      NUMBER(target), TEXT(listen), TEXT(sources),
						      NUMBER(created_ms) });
}

int store_load(struct store *s, const struct store_loader *to, void *arg, struct err *e)
{
	static void (*const load[FAKE_NUM])(const struct store_loader *, void *, const json_t *) = {
		load_image, load_version, load_build, load_microvm, load_token, load_published
	};
	const json_t *row;
	size_t i;

	(void)s;
	(void)e;
	for (size_t table = 0; table < FAKE_NUM; table++)
		json_array_foreach(tables[table], i, row)
		{
			load[table](to, arg, row);
		}
	return 0;
}
