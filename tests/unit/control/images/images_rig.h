/* images_rig.h - images with a store that answers when it is told to (fake_store.h), an image role
 * that is told what was sent, and timers that run when time passes. */
#ifndef TESTS_CONTROL_IMAGES_RIG_H
#define TESTS_CONTROL_IMAGES_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../fake_store.h"
#include "control/channels/builder.h"
#include "control/images/builds.h"
#include "control/images/images.h"

/* What the image role was sent, and a host that has no memory if it is told to have none. */
struct world {
	unsigned sent[BUILD_NUM_TYPES], woken;
	uv_timer_t *timers[4];
	uv_timer_cb due[4];
	uint64_t pause_ms; /* until the timer that was started last */
	bool no_memfd;
};
extern struct world world;
extern struct control ctl;

/* Who asked, and was told so often. */
struct told {
	int calls, rc;
	enum err_kind kind;
	char text[128];
};

extern const struct err full, broken, busy; /* of the store */

int set_up(void **unused);
int tear_down(void **unused);
void begin(void); /* with what the store holds */
void end(void);

bool time_passes(void); /* false: nothing was due */
/* The API's view, the store's rows and memory are one, and so they are after a restart. */
void agree(void);
/* The oldest commit that waits is answered, and then all agree; all of them, the commit number
 * @refused with @e: false if that one did not come. */
void answer(const struct err *e);
bool answer_all(size_t *n, size_t refused, const struct err *e);

/* The image "hello", which must be there. */
struct image *hello(void);
struct image_version *version(int64_t number);
struct build *build(int64_t number);

/* What may be asked, and what happens. */
void tell(void *arg, int rc, const struct err *e); /* an images_done; @arg: a struct told */
void create_named(const char *name, struct told *t);
void create(struct told *t);
void create_and_build(void);
void update(struct told *t);
void tag(const char *name, struct told *t);
void delete_second(struct told *t);
void delete_image(struct told *t);
void end_build(int64_t number, bool ok);

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
