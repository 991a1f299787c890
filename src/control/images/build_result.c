#include "control/images/build_result.h"

#include <stdlib.h>
#include <string.h>

#include "base/steady.h"
#include "control/pool/pool.h"

static char *build_result_text(const char *text, size_t room)
{
	return *text ? xasprintf("%.*s", (int)strnlen(text, room), text) : NULL;
}

/* The service shows some failures by their code alone, others by a sentence: the code stands in
 * front of ours where it is what people look for (service.md 10.1). */
static char *build_result_reason(const struct build_done *done)
{
	static const char *const shown[] = { "S3_", "ARCHIVE_", "DISK_", "INTERNAL_" };
	autofree char *code = build_result_text(done->code, sizeof(done->code));
	autofree char *reason = build_result_text(done->reason, sizeof(done->reason));

	for (size_t i = 0; code && reason && i < ARRAY_SIZE(shown); i++)
		if (!strncmp(code, shown[i], strlen(shown[i])))
			return xasprintf("%s: %s", code, reason);
	return reason ? xstrdup(reason) : code ? xstrdup(code) : NULL;
}

static size_t build_result_ports(uint16_t *to, const uint16_t *from, uint32_t n)
{
	n = n < BUILD_MAX_PORTS ? n : BUILD_MAX_PORTS;
	memcpy(to, from, n * sizeof(*to));
	return n;
}

static void build_result_draft_sizes(struct change *c)
{
	c->build_row.memory_bytes = (int64_t)c->result.memory_bytes;
	c->build_row.code_bytes = (int64_t)c->result.code_bytes;
	c->build_row.disk_bytes = (int64_t)c->result.disk_bytes;
}

static void build_result_draft_built(struct change *c)
{
	const struct build_done *done = &c->result;
	struct image_version *v = &c->version_row;

	build_result_draft_sizes(c);
	v->status = VERSION_ACTIVE;
	v->engine = done->engine < PRIV_NUM_MACHINE_KINDS ? done->engine : PRIV_MACHINE_QEMU;
	v->shape = (struct machine_shape){ .vcpus = done->vcpus, .memory_mib = done->memory_mib };
	v->n_ports = build_result_ports(v->ports, done->ports, done->n_ports);
	v->n_listening = build_result_ports(v->listening, done->listening, done->n_listening);
}

static void build_result_use(struct change *c)
{
	c->of.version->recent_ms = steady_ms();
	pool_wake(c->ctl);
}

static void build_result_draft_failed(struct change *c)
{
	build_result_draft_sizes(c);
	c->code = build_result_text(c->result.code, sizeof(c->result.code));
	c->reason = build_result_reason(&c->result);
	c->build_row.code = c->code;
	c->build_row.reason = c->version_row.reason = c->reason;
	c->image_row.latest_failed = c->number;
}

const struct change_ops build_result_built = {
	.event = IMAGE_EV_BUILT,
	.happened = true,
	.draft = build_result_draft_built,
	.follow = build_result_use,
};

const struct change_ops build_result_failed = {
	.event = IMAGE_EV_BUILD_FAILED,
	.happened = true,
	.draft = build_result_draft_failed,
};

/* A request: unlike a result it is refused on a full disk, and the build goes on. */
const struct change_ops build_result_cancelled = {
	.event = IMAGE_EV_BUILD_FAILED,
	.draft = build_result_draft_failed,
};
