/* serial.h - the serial port: a 16550 that the kernel's log comes out of.  Nothing goes in.
 *
 * What the guest sends is handed on at once, but no more than a flood's share of it; the last lines
 * are kept for whoever asks why the machine ended. */
#ifndef VMM_DEV_SERIAL_H
#define VMM_DEV_SERIAL_H

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

/* The last line that is not empty, without odd bytes; "" if none. */
const char *serial_last_line(const struct serial *s);

#endif
