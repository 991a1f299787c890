/* doze.c - /doze/v1/: what our own command line needs beyond the service's operations. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/api.h"
#include "control/api/call.h"
#include "control/api/encode.h"
#include "control/api/handlers/handlers.h"
#include "control/api/resolve.h"
#include "control/images/bases.h"
#include "control/microvm/drain.h"

static json_t *doze_port_list(const uint16_t *ports, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_integer(ports[i]));
	return list;
}

/* Answers for the newest active version unless another is named. */
void doze_ports(struct call *c)
{
	const char *id = call_text(c, "id"), *number = call_text(c, "version");
	struct image *image = find_image_any(c->ctl, c->who->account, id);
	struct image_version *v = NULL;

	if (image)
		v = number ? model_version(image, version_number(number))
			   : model_active_version(image);
	if (!v) {
		call_not_found(c, "There is no image %s with such a version.", id);
		return;
	}
	call_answer(c, json_pack("{s:o,s:o,s:o}", "imageVersion", encode_version_number(v->number),
				 "ports", doze_port_list(v->ports, v->n_ports), "listening",
				 doze_port_list(v->listening, v->n_listening)));
}

static void doze_bases_listed(void *arg, int rc, const json_t *list, const struct err *e)
{
	struct call *c = arg;

	if (rc)
		call_fail(c, e);
	else
		call_answer(c, json_pack("{s:o}", "items", json_deep_copy(list)));
}

void doze_list_bases(struct call *c)
{
	bases_list(c->ctl, doze_bases_listed, c);
}

void doze_remove_base(struct call *c)
{
	c->made = json_object();
	bases_remove(c->ctl, call_text(c, "name"), call_done, c);
}

void doze_pull_base(struct call *c)
{
	c->made = json_pack("{s:s}", "name", call_text(c, "name"));
	bases_pull(c->ctl, call_text(c, "name"), call_done, c);
}

static void doze_drained(void *arg, unsigned suspended, unsigned failed)
{
	call_answer(arg,
		    json_pack("{s:i,s:i}", "suspended", (int)suspended, "failed", (int)failed));
}

void doze_drain(struct call *c)
{
	drain_start(c->ctl, doze_drained, c);
}

void doze_drain_progress(struct call *c)
{
	call_answer(c, drain_progress(c->ctl));
}

void doze_env(struct call *c)
{
	const struct conf *conf = c->ctl->conf;
	const char *colon = strrchr(c->ctl->endpoint_suffix, ':');

	call_answer(c, json_pack("{s:s,s:s,s:s,s:s,s:i,s:I,s:i,s:s,s:s}", "version", DOZE_VERSION,
				 "region", conf->region, "account", c->who->account, "domain",
				 conf->domain, "apiPort", (int)c->ctl->api->port, "s3Port",
				 (json_int_t)conf->s3_port, "endpointPort",
				 colon ? (int)strtol(colon + 1, NULL, 10) : 443, "endpointSuffix",
				 c->ctl->endpoint_suffix, "ca", buf_str(&c->ctl->api->ca)));
}
