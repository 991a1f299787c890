/* change.h - how images, versions and builds change, so that no change is lost and none is half
 * made.
 *
 * A change goes first to the store, then into memory, then it is acted on.  So the API shows what a
 * restart would find, and nothing is done that a restart would not know of.  When its turn comes, a
 * change is judged by the tables of steps.h and by its guard.  Its rows are drafted beside those in
 * memory and written; once they are durable, memory becomes what they say.
 *
 * The changes of one image take turns in the order in which they came.  If the store refuses one:
 *
 *   a request     ends with the store's error, and the next change has its turn;
 *   an event      has happened whether or not it can be written.  It is tried again after a pause,
 *                 or as soon as another change is asked for.  The requests behind it end with the
 *                 store's error, because a request does not wait for a full disk. */
#ifndef CONTROL_IMAGES_CHANGE_H
#define CONTROL_IMAGES_CHANGE_H

#include "control/control.h"
#include "control/images/steps.h"
#include "control/model/model.h"

/* The answer to a caller: rc 0, or -1 with the error that the API shows. */
typedef void images_done(void *arg, int rc, const struct err *e);

/* Called before the rows are written, with what they will say, so that the API can word its answer.
 * It may return the transaction to use, which holds the client's token, or NULL. */
typedef struct store_txn *images_drafted(void *arg, const struct image *image,
					 const struct image_version *v);

/* Changes @tags as @by says. */
typedef void images_tags_edit(json_t *tags, const json_t *by);

struct change;

struct change_ops {
	enum image_event event;
	bool happened; /* it is an event, not a request */
	/* All of these are optional.  The guard refuses what the tables cannot know. */
	int (*guard)(const struct change *c, struct err *e);
	/* Fills in what the rows become, besides their states and times. */
	void (*draft)(struct change *c);
	/* These replace the writing of the drafted rows, and their way into memory; the latter sets
	 * c->image to NULL if it has freed the image. */
	void (*write)(struct change *c, struct store_txn *t);
	void (*apply)(struct change *c);
	/* Acts on what is durable now. */
	void (*follow)(struct change *c);
};

struct change {
	struct list in_image;
	const struct change_ops *ops;
	struct control *ctl; /* borrowed */
	struct image *image; /* borrowed; owned while it is NEW */
	int64_t number;      /* of the version; 0 for the image as a whole or a NEW version */
	images_tags_edit *edit;
	json_t *by;               /* owned */
	struct build_done result; /* of the build */
	images_drafted *drafted;  /* may be NULL, as may `done` */
	images_done *done;
	void *arg;
	/* Filled in when its turn comes.  A version that is NEW belongs to the change. */
	struct image_subject of;
	struct image image_row;
	struct image_version version_row;
	struct build build_row;
	json_t *tags;        /* owned; what image_row says */
	char *code, *reason; /* owned; what build_row says */
	int64_t now_ms;
};

void changes_open(struct control *ctl);
void changes_close(struct control *ctl);

/* The caller fills in what the change brings, then asks for it. */
struct change *change_new(struct control *ctl, struct image *image, const struct change_ops *ops);
void change_ask(struct change *c);

/* Is an image of this name on its way to the store?  How many of the account are, and how many
 * builds of new versions of it? */
bool changes_create(const struct control *ctl, const char *account, const char *name);
size_t changes_count_new(const struct control *ctl, const char *account);
size_t changes_count_builds(const struct control *ctl, const char *account);

/* Frees an image whose rows are gone, and refuses what still waits for it. */
void changes_end_image(struct control *ctl, struct image *image);

#endif
