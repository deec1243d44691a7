/*
 * as_owner.h
 *		Running as the owner of the store.
 *
 * The extension's functions belong to a superuser, whom row security does not
 * bind, so none of them is SECURITY DEFINER.  They become the role that owns
 * schema ehr_store instead, around their own access and no longer.
 */
#ifndef EHR_AS_OWNER_H
#define EHR_AS_OWNER_H

typedef enum EhrCallMode
{
	EHR_AS_OWNER,				/* row security applies, as the tables force it */
	EHR_AS_SYSTEM				/* the owner sees every row: bookkeeping only */
} EhrCallMode;

typedef struct EhrRoleSwitch
{
	Oid			userid;
	int			sec_context;
} EhrRoleSwitch;

/*
 * The role that owns ehr_store.  Raises 3F000 when there is no store, 42501
 * when that role is a superuser or bypasses row security.
 */
extern Oid	ehr_store_owner(void);

/*
 * Become the owner, and the caller again.  An error in between needs no
 * clean-up: the end of the (sub)transaction restores the caller.
 */
extern void ehr_become_owner(EhrRoleSwitch *saved, EhrCallMode mode);
extern void ehr_become_caller(const EhrRoleSwitch *saved);

/* true inside a call made with EHR_AS_SYSTEM */
extern bool ehr_in_system_call(void);

#endif							/* EHR_AS_OWNER_H */
