/* sts.h - what the operations of STS share: AWS's query protocol, a form in, XML out. */
#ifndef CONTROL_API_HANDLERS_STS_H
#define CONTROL_API_HANDLERS_STS_H

#include "control/api/call.h"

#define STS_NAMESPACE "https://sts.amazonaws.com/doc/2011-06-15/"

/* A value of the form, or of the query; NULL: it is not there.  Owned by the caller. */
char *sts_text(struct call *c, const char *name);
/* Ends the call with <ACTIONResponse><ACTIONResult>@result...; @result is left empty. */
void sts_answer(struct call *c, const char *action, struct buf *result);
/* <@name>@text</@name> */
void sts_put(struct buf *to, const char *name, const char *text);

/* sts_session.c */
void sts_get_session_token(struct call *c);
void sts_assume_role(struct call *c);

#endif
