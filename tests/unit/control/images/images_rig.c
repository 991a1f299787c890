#include "images_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/api/encode.h"
#include "control/events/events.h"
#include "control/microvm/lifecycle.h"
#include "control/pool/pool.h"

struct world world;
struct control ctl;

static struct conf conf;

void events_changed(struct control *c, const struct event_change *change)
{
	(void)c;
	(void)change;
}

void chan_uv_send(struct chan_uv *c, uint32_t type, uint64_t tag, const void *body, size_t size,
		  const int *fds, unsigned n_fds)
{
	(void)c;
	(void)tag;
	(void)body;
	(void)size;
	(void)fds;
	(void)n_fds;
	world.sent[type]++;
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
	(void)loop;
	for (size_t i = 0; i < ARRAY_SIZE(world.timers); i++)
		if (!world.timers[i]) {
			world.timers[i] = timer;
			return 0;
		}
	abort();
}

static size_t timer_slot(const void *timer)
{
	for (size_t i = 0; i < ARRAY_SIZE(world.timers); i++)
		if (world.timers[i] == timer)
			return i;
	abort();
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	world.pause_ms = timeout;
	assert_int_equal(repeat, 0);
	world.due[timer_slot(timer)] = cb;
	return 0;
}

int uv_timer_stop(uv_timer_t *timer)
{
	world.due[timer_slot(timer)] = NULL;
	return 0;
}

int uv_is_active(const uv_handle_t *timer)
{
	return world.due[timer_slot(timer)] != NULL;
}

bool time_passes(void)
{
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(world.due); i++) {
		uv_timer_cb cb = world.due[i];

		world.due[i] = NULL;
		if (cb)
			cb(world.timers[i]);
		any |= cb != NULL;
	}
	return any;
}

int memfd_create(const char *name, unsigned flags)
{
	(void)name;
	(void)flags;
	return world.no_memfd ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);
}

int io_pwrite_full(int fd, const void *data, size_t size, int64_t at)
{
	(void)fd;
	(void)data;
	(void)size;
	(void)at;
	return 0;
}

void pool_wake(struct control *c)
{
	(void)c;
	world.woken++;
}

void pool_forget(struct image_version *v)
{
	(void)v;
}

void lifecycle_keep_ended(struct control *c, const struct image_version *v, struct store_txn *t)
{
	(void)c;
	(void)v;
	(void)t;
}

void lifecycle_part_ended(struct control *c, const struct image_version *v)
{
	(void)c;
	(void)v;
}

static void no_token(struct control *c, const struct store_token *row)
{
	(void)c;
	(void)row;
}

/* What the API shows of everything. */
static char *view(struct control *c)
{
	json_t *all = json_array();
	char *text;

	list_each(image, &c->images, struct image, in_control)
	{
		json_array_append_new(all, encode_image(c, image, false));
		list_each(v, &image->versions, struct image_version, in_image)
		{
			json_array_append_new(all, encode_version(c, v));
			list_each(b, &v->builds, struct build, in_version)
				json_array_append_new(all, encode_build(c, b, false));
		}
	}
	text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(all);
	return text;
}

static void free_model(struct control *c)
{
	list_each(image, &c->images, struct image, in_control) model_image_free(c, image);
	model_close(c);
}

static void load(struct control *c)
{
	struct err e;

	*c = (struct control){ .conf = &conf };
	model_init(c);
	assert_int_equal(model_load(c, no_token, &e), 0);
}

void agree(void)
{
	struct control after;
	char *now, *then;

	load(&after);
	now = view(&ctl);
	then = view(&after);
	assert_string_equal(now, then);
	free(now);
	free(then);
	free_model(&after);
}

void end(void)
{
	images_close(&ctl);
	free_model(&ctl);
}

void begin(void)
{
	memset(&world, 0, sizeof(world));
	load(&ctl);
	ctl.image_role.open = true;
	images_open(&ctl);
	ctl.builder_events->up(&ctl);
}

int set_up(void **unused)
{
	(void)unused;
	if (!*conf.region)
		conf_defaults(&conf, "");
	fake_store_clear();
	begin();
	return 0;
}

int tear_down(void **unused)
{
	(void)unused;
	end();
	fake_store_clear();
	return 0;
}

void tell(void *arg, int rc, const struct err *e)
{
	struct told *t = arg;

	t->calls++;
	t->rc = rc;
	if (!rc)
		return;
	t->kind = e->kind;
	snprintf(t->text, sizeof(t->text), "%.100s", e->text);
}

const struct err full = { ERR_CAPACITY, "The disk is full." };
const struct err broken = { ERR_INTERNAL, "The disk has an error." };
const struct err busy = { ERR_INTERNAL, "The database is locked." };

static struct store_txn *no_draft(void *arg, const struct image *image,
				  const struct image_version *v)
{
	(void)arg;
	assert_int_equal(image->state, v->number == 1 ? IMAGE_CREATING : IMAGE_UPDATING);
	assert_int_equal(v->state, VERSION_PENDING);
	return NULL;
}

static json_t *params(void)
{
	return json_pack("{s:{s:s}}", "codeArtifact", "uri", "s3://bucket/key");
}

void create_named(const char *name, struct told *t)
{
	images_create(&ctl, "000000000000", name, NULL, params(),
		      &(struct images_asker){ no_draft, tell, t });
}

void create(struct told *t)
{
	create_named("hello", t);
}

struct image *hello(void)
{
	struct image *image = model_image_by_name(&ctl, "000000000000", "hello");

	if (!image)
		abort();
	return image;
}

struct image_version *version(int64_t number)
{
	struct image_version *v = model_version(hello(), number);

	if (!v)
		abort();
	return v;
}

struct build *build(int64_t number)
{
	struct build *b = list_first(&version(number)->builds, struct build, in_version);

	if (!b)
		abort();
	return b;
}

void update(struct told *t)
{
	images_update(&ctl, hello(), IMAGE_EV_UPDATE, params(),
		      &(struct images_asker){ no_draft, tell, t });
}

static void add_tag(json_t *tags, const json_t *by)
{
	json_object_set_new(tags, json_string_value(by), json_string("yes"));
}

void tag(const char *name, struct told *t)
{
	json_t *by = json_string(name);

	images_set_tags(&ctl, hello(), add_tag, by, tell, t);
	json_decref(by);
}

void delete_second(struct told *t)
{
	images_delete_version(&ctl, version(2), tell, t);
}

void delete_image(struct told *t)
{
	images_delete(&ctl, hello(), tell, t);
}

void end_build(int64_t number, bool ok)
{
	struct build_done done = { .ok = ok, .memory_mib = 2048, .vcpus = 1, .memory_bytes = 7 };

	if (!ok)
		strcpy(done.code, "CONTAINER_BUILD_FAILED");
	memcpy(done.name.build, build(number)->id, UUID_SIZE);
	ctl.builder_events->done(&ctl, &done);
}

bool answer_all(size_t *n, size_t refused, const struct err *e)
{
	bool was_refused = false;

	while (fake_store_waiting()) {
		bool this_one = (*n)++ == refused;

		agree(); /* nothing is true before the store has it */
		fake_store_answer(this_one ? e : NULL);
		agree();
		was_refused |= this_one;
	}
	return was_refused;
}

void answer(const struct err *e)
{
	fake_store_answer(e);
	agree();
}

void create_and_build(void)
{
	struct told t = { 0 };
	size_t n = 0;

	create(&t);
	answer_all(&n, SIZE_MAX, NULL);
	end_build(1, true);
	answer_all(&n, SIZE_MAX, NULL);
	assert_int_equal(hello()->state, IMAGE_CREATED);
}
