/* adopt.h - what ran before this process: found, checked against the rows, taken over or ended.
 *
 * Each microVM then is in the state that is true: decided by adopt_decide, a pure
 * table of its row, of what was found of its machine, and of what lies on disk. */
#ifndef CONTROL_MICROVM_ADOPT_H
#define CONTROL_MICROVM_ADOPT_H

#include "control/control.h"
#include "control/model/model.h"

enum adopt_found {
	FOUND_NOTHING,
	FOUND_RUNNING,
	FOUND_PAUSED,
	FOUND_NUM,
};

enum adopt_do {
	ADOPT_KEEP,     /* nothing is to be done */
	ADOPT_CONTINUE, /* it was paused for a save that is not made */
	ADOPT_IDENTIFY, /* tell the guest who it is, once more */
	ADOPT_RESTART,  /* end what is left and start anew from the image */
	ADOPT_SAVE,     /* go on with the suspend */
	ADOPT_PUBLISH,  /* the machine made the save and ended; nobody was there to hear it */
	ADOPT_SAVED,    /* the save was made and published, only the row is missing */
	ADOPT_LOST,     /* TERMINATED: its machine is gone */
	ADOPT_END,      /* go on with the end */
	ADOPT_NUM,
};

struct adopt_facts {
	enum vm_state state;
	enum adopt_found found;
	bool run_hook; /* the image has one: it may have been called */
	bool draft;    /* the next save's draft has its header, which the machine writes last */
	bool saved;    /* the next save lies there, published */
};
enum adopt_do adopt_decide(const struct adopt_facts *f);

/* Ask priv, reconcile, then `done`: ctl->adopted is true from then on. */
void adopt_start(struct control *ctl, void (*done)(struct control *ctl));

#endif
