/* encode.h - what the API shows of images, versions, builds and microVMs: every member of the
 * model and the unmodelled ones that the service sends, absent values as null (service.md 2.3). */
#ifndef CONTROL_API_ENCODE_H
#define CONTROL_API_ENCODE_H

#include "control/control.h"
#include "control/model/connector.h"
#include "control/model/published.h"

json_t *encode_time(int64_t ms);          /* seconds with a fraction; 0: null */
json_t *encode_version_number(int64_t n); /* "1.0"; 0: null */
json_t *encode_text(const char *text);    /* NULL: null */

json_t *encode_image(const struct control *ctl, const struct image *image, bool summary);
/* An image as Create and Update answer it, with this version. */
json_t *encode_image_made(const struct control *ctl, const struct image *image,
			  const struct image_version *v, bool created);
json_t *encode_version(const struct control *ctl, const struct image_version *v);
json_t *encode_build(const struct control *ctl, const struct build *b, bool summary);
json_t *encode_microvm(const struct control *ctl, const struct microvm *vm);
json_t *encode_published(const struct published *p);
json_t *encode_microvm_item(const struct control *ctl, const struct microvm *vm);

/* Of Lambda Core: absent values are left out, and times are texts. */
json_t *encode_iso_time(int64_t ms); /* "2026-11-30T21:04:05.678Z" */
/* A connector as Create, Update and Delete answer it, with this version. */
json_t *encode_connector_made(const struct control *ctl, const struct connector *connector,
			      const struct connector_version *v);
/* As Get shows it, or one version of it (NULL: that in effect). */
json_t *encode_connector(const struct control *ctl, const struct connector *connector,
			 const struct connector_version *v);
json_t *encode_connector_item(const struct control *ctl, const struct connector *connector);
json_t *encode_connector_version(const struct control *ctl, const struct connector *connector,
				 const struct connector_version *v);

#endif
