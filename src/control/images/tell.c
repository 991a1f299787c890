#include "control/images/tell.h"

#include <stdlib.h>
#include <string.h>

#include "control/events/events.h"

static void tell(struct control *ctl, const struct told *t, const struct event_change *change)
{
	struct event_change whole = *change;

	whole.account = t->image->account;
	if (!change->from || strcmp(change->from, change->to) != 0)
		events_changed(ctl, &whole);
}

void tell_change(struct control *ctl, const struct told *t)
{
	autofree char *arn = model_image_arn(ctl, t->image);
	autofree char *version =
		t->version ? xasprintf("%s:%lld", arn, (long long)t->version_row->number) : NULL;

	if (t->removed) {
		tell(ctl, t,
		     &(struct event_change){ .what = version ? "MicroVMImageVersion"
							     : "MicroVMImage",
					     .id = version ? version : arn,
					     .from = "DELETING",
					     .to = "DELETED" });
		return;
	}
	tell(ctl, t,
	     &(struct event_change){ .what = "MicroVMImage",
				     .id = arn,
				     .from = t->image->state == IMAGE_NEW
						     ? NULL
						     : image_state_name[t->image->state],
				     .to = image_state_name[t->image_row->state] });
	if (version)
		tell(ctl, t,
		     &(struct event_change){
			     .what = "MicroVMImageVersion",
			     .id = version,
			     .from = t->version->state == VERSION_NEW
					     ? NULL
					     : version_state_name[t->version->state],
			     .to = version_state_name[t->version_row->state],
			     .reason = t->version_row->reason });
	if (t->build)
		tell(ctl, t,
		     &(struct event_change){ .what = "MicroVMImageBuild",
					     .id = t->build->id,
					     .from = t->build->state == BUILD_NEW
							     ? NULL
							     : build_state_name[t->build->state],
					     .to = build_state_name[t->build_row->state],
					     .reason = t->build_row->reason });
}
