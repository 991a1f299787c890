/* control.h - the control role: one loop, and everything that its parts share.
 *
 * api/ reads requests and asks images/ and microvm/, which change the model through the store and
 * drive builds, machines, clones and routes.  Nothing below api/ knows HTTP.  A folder knows only
 * those below it (tools/check-layers), and each member belongs to the file that stands beside it.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <uv.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/order.h"
#include "base/rand.h"
#include "conf/conf.h"
#include "iam/keys.h"
#include "ipc/meter.h"
#include "ipc/share.h"
#include "ipc/super.h"
#include "net/chan_uv.h"
#include "wire/certificate.h"
#include "wire/token.h"

struct control {
	const struct conf *conf;
	uv_loop_t loop;
	int data_fd, run_fd, log_fd; /* directories that we hold */
	int dir_fd;                  /* data/control: ours alone */
	struct store *store;
	struct hash accounts; /* model/account.h: by id */
	struct list images;   /* struct image, in order of creation */
	struct hash images_by_id, images_by_name;
	struct list microvms; /* struct microvm, likewise */
	struct hash microvms_by_id, microvms_by_endpoint;
	struct list connectors; /* struct connector, likewise */
	struct hash connectors_by_id, connectors_by_name;
	/* What lists show, by account; and microVMs by the id of their image. */
	struct order images_in_order, microvms_in_order, microvms_of_image, connectors_in_order;
	struct hash published;  /* model/published.c: by port of the host */
	struct hash log_groups; /* model/log_stream.h: by account and name */
	struct order log_groups_in_order, log_streams_by_name, log_streams_by_time;
	struct hash left_out; /* model/model.c: ids of rows that cannot be understood */
	struct keys keys;
	struct kms *kms; /* kms/kms.c */
	struct token_keys token_keys;
	struct certificate_authority *client_signer; /* of clients' certificates; owned */
	char endpoint_suffix[200]; /* ".lambda-microvm.us-east-1.localhost", with ":port" unless it
				      is 443 */
	char boot_id[UUID_SIZE];
	struct chan_uv priv, image_role, objects;
	struct grants *grants;   /* channels/grants.c */
	struct list grants_asks; /* likewise */
	uint64_t grants_asked;
	struct http_server *metrics;      /* api/metrics.c; NULL: none */
	uint64_t shares[SHARES_MAX / 64]; /* channels/routes.c: a bit for each row that is taken */
	struct meter requests;            /* channels/routes.c: to all endpoints */
	struct list workers;              /* channels/workers.c: of the proxy */
	const struct workers_ops *workers_ops; /* likewise */
	int next_channel[ROLE_NUM]; /* channels/roles.c: sockets of roles that came back; -1: none
				     */
	struct priv_client *priv_client;             /* channels/priv.c */
	const struct routes_ops *routes_ops;         /* channels/routes.c */
	const struct guest_role_ops *guest_role_ops; /* api/credentials.c */
	const struct role_channel *channels;         /* channels/roles.c: by enum role */
	struct lanes *lanes;                         /* storage/lanes.c */
	struct gc *gc;                               /* storage/gc.c */
	struct retention *retention;                 /* logs/retention.c */
	struct events *events;                       /* events/events.c */
	uv_timer_t expiry_timer;                     /* microvm/expiry.c */
	int64_t tokens_ms;
	struct api *api;                             /* api/server.c */
	struct machines *machines;                   /* machine/process.c */
	struct pool *pool;                           /* pool/pool.c */
	struct list templates;                       /* pool/template.c: the oldest use first */
	struct spares *spares;                       /* pool/spares.c */
	struct admission *admission;                 /* admission/admission.c */
	const struct builder_events *builder_events; /* images/images.c */
	struct changes *changes;                     /* images/change.c */
	struct connector_changes *connector_changes; /* connectors/change.c */
	struct builds *builds;                       /* images/builds.c */
	struct bases *bases;                         /* images/bases.c */
	struct drain *drain;                         /* microvm/drain.c, while it lasts */
	struct adopting *adopting;                   /* microvm/adopt.c, at start */
	bool adopted;  /* what ran before is known: timers may act, the API may answer */
	bool draining; /* microVMs are being suspended, or control ends: none may start */
	bool ending;   /* it was asked to drain and to end: draining stays */
	bool stopping; /* everything closes */
};

#endif
