/* change.h - one idea of durability: how images, versions and builds change.
 *
 * A change is first in the store, then in memory, then in the world, never otherwise: what the API
 * shows, what a restart finds and what is acted on are the same.  When its turn comes it is judged
 * by the tables of steps.h and by its guard, its rows are drafted beside those in memory and
 * written, and once they are durable memory becomes what they say.
 *
 * The changes of one image go one after the other, in the order in which they came, so that none
 * overtakes an earlier one.  What a refusal of the store means depends on who wants the change:
 *
 *   a request     ends with the store's error, and the next change has its turn;
 *   an event      of the world has happened, whether it can be written or not.  It is tried again
 *                 after a pause, or as soon as the next change is asked for.  Requests that wait
 *                 behind it end with the store's error: they do not wait for a full disk. */
#ifndef CONTROL_IMAGES_CHANGE_H
#define CONTROL_IMAGES_CHANGE_H

#include "control/control.h"
#include "control/images/steps.h"
#include "control/model/model.h"

/* The answer to a caller: rc 0, or -1 with the error that the API shows. */
typedef void images_done(void *arg, int rc, const struct err *e);

/* What the rows will be if they become durable: the API words its answer by it, and may begin the
 * transaction with the client's token.  NULL: there is none. */
typedef struct store_txn *images_drafted(void *arg, const struct image *image,
					 const struct image_version *v);

/* Tags after those before; @by is what was asked for. */
typedef void images_tags_edit(json_t *tags, const json_t *by);

struct change;

struct change_ops {
	enum image_event event;
	bool happened; /* an event of the world */
	/* All are optional.  What the tables cannot know. */
	int (*guard)(const struct change *c, struct err *e);
	/* What the rows become, besides their states and times. */
	void (*draft)(struct change *c);
	/* In place of the rows being put, and memory becoming what they say. */
	void (*write)(struct change *c, struct store_txn *t);
	void (*apply)(struct change *c); /* sets c->image to NULL if that is gone */
	/* It is durable: act. */
	void (*follow)(struct change *c);
};

struct change {
	struct list in_image;
	const struct change_ops *ops;
	struct control *ctl; /* borrowed */
	struct image *image; /* borrowed; owned while it is NEW */
	int64_t number;      /* of the version; 0: of the image as a whole, or a NEW version */
	images_tags_edit *edit;
	json_t *by;               /* owned */
	struct build_done result; /* of the builder */
	images_drafted *drafted;  /* may be NULL, as may `done` */
	images_done *done;
	void *arg;
	/* Its turn has come.  A version that is NEW is owned by the change. */
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

/* @image is NEW for IMAGE_EV_CREATE.  The caller fills in the rest and asks for it. */
struct change *change_new(struct control *ctl, struct image *image, const struct change_ops *ops);
void change_ask(struct change *c);

/* An image of this name is on its way to the store. */
bool changes_make(const struct control *ctl, const char *name);
size_t changes_count_new(const struct control *ctl);

/* Whatever waits for this image ends: nothing of it is left.  Frees it. */
void changes_end_image(struct control *ctl, struct image *image);

#endif
