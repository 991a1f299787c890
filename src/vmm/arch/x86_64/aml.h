/* aml.h - the few words of ACPI's machine language that describe a board. */
#ifndef VMM_ARCH_X86_64_AML_H
#define VMM_ARCH_X86_64_AML_H

#include "base/buf.h"

/* What is open until aml_end(mark). */
size_t aml_scope(struct buf *b, const char *name);
size_t aml_device(struct buf *b, const char *name);
size_t aml_method(struct buf *b, const char *name, unsigned n_args);
size_t aml_package(struct buf *b, unsigned n);
void aml_end(struct buf *b, size_t mark);

void aml_name(struct buf *b, const char *name); /* Name(@name, what follows) */
void aml_number(struct buf *b, uint32_t value);
void aml_text(struct buf *b, const char *text);

/* Name(_CRS, ResourceTemplate(){...}): the resources follow. */
size_t aml_resources(struct buf *b);
void aml_memory(struct buf *b, uint32_t base, uint32_t size);
void aml_ports(struct buf *b, uint16_t base, uint8_t size);
void aml_interrupt(struct buf *b, uint32_t gsi); /* an edge */
void aml_resources_end(struct buf *b, size_t mark);

/* In a method: If (Arg0 == @value) { Notify(@device, @code) } */
void aml_notify_if(struct buf *b, uint32_t value, const char *device, uint8_t code);

#endif
