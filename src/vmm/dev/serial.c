#include "vmm/dev/serial.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/agent.h"

enum {
	REG_DATA, /* with LCR_DLAB: divisor, low */
	REG_IER,  /* with LCR_DLAB: divisor, high */
	REG_IIR,
	REG_LCR,
	REG_MCR,
	REG_LSR,
	REG_MSR,
	REG_SCRATCH,
	SERIAL_NUM_REGS
};

#define IER_EMPTY    0x02
#define IER_MASK     0x0f
#define IIR_NONE     0x01
#define IIR_EMPTY    0x02
#define IIR_FIFO     0xc0
#define LCR_DLAB     0x80
#define MCR_LOOP     0x10
#define MCR_MASK     0x1f
#define LSR_EMPTY    0x60 /* nothing waits to be sent */
#define MSR_PRESENT  0xb0 /* carrier, ready, clear to send */
#define LINE_CURRENT 0
#define LINE_LAST    1

const struct snap_field serial_saved[] = {
	SNAP(1, struct serial, ier),   SNAP(2, struct serial, lcr),
	SNAP(3, struct serial, mcr),   SNAP(4, struct serial, scratch),
	SNAP(5, struct serial, dll),   SNAP(6, struct serial, dlm),
	SNAP(7, struct serial, empty), SNAP_END
};

static bool serial_is_due(const struct serial *s)
{
	return s->empty && (s->ier & IER_EMPTY);
}

/* The line rises once; it does not again before the guest has read why. */
static void serial_interrupt(struct serial *s, bool was_due)
{
	const uint64_t one = 1;

	if (serial_is_due(s) && !was_due && write(s->irq_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: an interrupt is on its way */
}

/* What is left of the flood's share, at this moment. */
static bool serial_may_put(struct serial *s)
{
	int64_t now;

	if (s->budget) {
		s->budget--;
		return true;
	}
	now = clock_mono_ms();
	s->budget = (uint64_t)(now - s->refilled_ms) * SERIAL_RATE / 1000;
	if (s->budget > SERIAL_BURST)
		s->budget = SERIAL_BURST;
	if (s->budget < SERIAL_RATE / 10) {
		s->budget = 0;
		s->dropped++;
		return false;
	}
	s->refilled_ms = now;
	s->budget--;
	return true;
}

static void serial_note_dropped(struct serial *s)
{
	char text[64];
	int n;

	if (!s->dropped)
		return;
	n = snprintf(text, sizeof(text), "\n[%llu bytes left out]\n",
		     (unsigned long long)s->dropped);
	s->dropped = 0;
	s->put(s, text, (size_t)n);
}

static void serial_send(struct serial *s, char c)
{
	char *line = s->line[LINE_CURRENT];

	if (s->said)
		console_add(s->said, &c, 1);
	if (c == '\n' && s->n_line) {
		if (!strstr(s->line[LINE_LAST], AGENT_TIMER_WORDS)) /* the rest explains nothing */
			memcpy(s->line[LINE_LAST], line, sizeof(s->line[0]));
		memset(line, 0, sizeof(s->line[0]));
		s->n_line = 0;
	} else if (c >= ' ' && c <= '~' && s->n_line < sizeof(s->line[0]) - 1) {
		line[s->n_line++] = c;
	}
	if (s->put && serial_may_put(s)) {
		serial_note_dropped(s);
		s->put(s, &c, 1);
	}
}

static uint8_t serial_get(struct serial *s, uint64_t reg)
{
	uint8_t iir = IIR_NONE;
	const uint8_t regs[SERIAL_NUM_REGS] = {
		[REG_DATA] = s->lcr & LCR_DLAB ? s->dll : 0,
		[REG_IER] = s->lcr & LCR_DLAB ? s->dlm : s->ier,
		[REG_LCR] = s->lcr,
		[REG_MCR] = s->mcr,
		[REG_LSR] = LSR_EMPTY,
		[REG_MSR] = s->mcr & MCR_LOOP
				    ? (uint8_t)((s->mcr & 0x0c) << 4 | (s->mcr & 0x02) << 3 |
						(s->mcr & 0x01) << 5)
				    : MSR_PRESENT,
		[REG_SCRATCH] = s->scratch,
	};

	if (reg != REG_IIR)
		return regs[reg];
	if (serial_is_due(s))
		iir = IIR_EMPTY;
	s->empty = 0; /* reading it says so */
	return iir | IIR_FIFO;
}

static void serial_set(struct serial *s, uint64_t reg, uint8_t value)
{
	bool was_due = serial_is_due(s);

	if (reg == REG_DATA && (s->lcr & LCR_DLAB)) {
		s->dll = value;
	} else if (reg == REG_DATA && !(s->mcr & MCR_LOOP)) {
		serial_send(s, (char)value);
		s->empty = 1;
	} else if (reg == REG_IER && (s->lcr & LCR_DLAB)) {
		s->dlm = value;
	} else if (reg == REG_IER) {
		s->empty |= (value & ~s->ier & IER_EMPTY) != 0;
		s->ier = value & IER_MASK;
	} else if (reg == REG_LCR) {
		s->lcr = value;
	} else if (reg == REG_MCR) {
		s->mcr = value & MCR_MASK;
	} else if (reg == REG_SCRATCH) {
		s->scratch = value;
	}
	serial_interrupt(s, was_due);
}

static void serial_read(struct bus_range *r, uint64_t offset, uint8_t *data, unsigned size)
{
	struct serial *s = container_of(r, struct serial, range);

	for (unsigned i = 0; i < size; i++)
		data[i] = serial_get(s, offset + i);
}

static void serial_write(struct bus_range *r, uint64_t offset, const uint8_t *data, unsigned size)
{
	struct serial *s = container_of(r, struct serial, range);

	for (unsigned i = 0; i < size; i++)
		serial_set(s, offset + i, data[i]);
}

int serial_open(struct serial *s, struct bus *pio, struct err *e)
{
	*s = (struct serial){ .range = { .base = SERIAL_BASE,
					 .size = SERIAL_NUM_REGS,
					 .read = serial_read,
					 .write = serial_write },
			      .budget = SERIAL_BURST };
	s->irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->irq_fd < 0)
		return err_sys(e, "make an eventfd");
	bus_add(pio, &s->range);
	return 0;
}

void serial_close(struct serial *s)
{
	fd_close(&s->irq_fd);
}

void serial_loaded(struct serial *s)
{
	serial_interrupt(s, false);
}

const char *serial_last_line(const struct serial *s)
{
	return s->n_line ? s->line[LINE_CURRENT] : s->line[LINE_LAST];
}
