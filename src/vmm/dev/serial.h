/* serial.h - the serial port: a 16550 that the kernel writes its log to.  It has no input.
 *
 * Bytes of the guest are passed on at once, within a rate limit.  The last lines are kept to
 * explain why the machine ended. */
#ifndef VMM_DEV_SERIAL_H
#define VMM_DEV_SERIAL_H

#include "machine/console.h"
#include "vmm/bus.h"
#include "vmm/snap/record.h"

#define SERIAL_BASE  0x3f8
#define SERIAL_IRQ   4
#define SERIAL_BURST (256 * KIB) /* may come at once */
#define SERIAL_RATE  (64 * KIB)  /* and each second after that */

struct serial {
	struct bus_range range;
	int irq_fd; /* owned eventfd, for vm_irqfd */
	/* A byte of the console, under the devices' lock; may be NULL. */
	void (*put)(struct serial *s, const char *bytes, size_t size);
	struct console *said; /* borrowed: takes all bytes; may be NULL */

	/* Saved. */
	uint8_t ier, lcr, mcr, scratch, dll, dlm;
	uint8_t empty; /* the interrupt "transmitter empty" is due */

	char line[2]
		 [160]; /* the line that is being written, the last whole one that was not empty */
	size_t n_line;
	uint64_t budget, dropped; /* bytes */
	int64_t refilled_ms;
};

extern const struct snap_field serial_saved[];

int serial_open(struct serial *s, struct bus *pio, struct err *e) must_check;
void serial_close(struct serial *s);
void serial_loaded(struct serial *s); /* after snap_get: an interrupt that was due comes */

/* The last line that is not empty, printable bytes only; "" if there is none. */
const char *serial_last_line(const struct serial *s);

#endif
