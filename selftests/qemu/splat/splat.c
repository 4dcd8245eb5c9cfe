// SPDX-License-Identifier: GPL-2.0-only
/*
 * Make one mistake, of a kind that the kernel of make check-debug must notice.
 * Used by selftests/detectors.sh. The module never stays.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

static char *kind = "";
module_param(kind, charp, 0);

static void use_after_free(void)
{
	int *p = kmalloc(64, GFP_KERNEL);

	if (!p)
		return;
	OPTIMIZER_HIDE_VAR(p);
	kfree(p);
	WRITE_ONCE(*p, 1);
}

static void leak(void)
{
	int *p = kmalloc(64, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p);
}

static int much = 40;

static void overshoot(void)
{
	OPTIMIZER_HIDE_VAR(much);
	much = 1 << much;
}

static DEFINE_SPINLOCK(lock_a);
static DEFINE_SPINLOCK(lock_b);

static void wrong_order(void)
{
	spin_lock(&lock_a);
	spin_lock(&lock_b);
	spin_unlock(&lock_b);
	spin_unlock(&lock_a);

	spin_lock(&lock_b);
	spin_lock(&lock_a);
	spin_unlock(&lock_a);
	spin_unlock(&lock_b);
}

static int __rcu *pointer;

static void outside_rcu(void)
{
	int *p = rcu_dereference(pointer);

	OPTIMIZER_HIDE_VAR(p);
}

static void sleep_with_lock(void)
{
	spin_lock(&lock_a);
	might_sleep();
	spin_unlock(&lock_a);
}

static void any_processor(void)
{
	int cpu = smp_processor_id();

	OPTIMIZER_HIDE_VAR(cpu);
}

static void timer_expires(struct timer_list *timer)
{
}

static void free_timer(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, timer_expires, 0);
	mod_timer(timer, jiffies + HZ);
	kfree(timer);
}

static void revive(void)
{
	refcount_t count = REFCOUNT_INIT(0);

	refcount_inc(&count);
}

static int shared;
static bool enough;

static void count_work(struct work_struct *work)
{
	while (!READ_ONCE(enough)) {
		shared++;
		barrier();
		cond_resched();
	}
}

static DECLARE_WORK(work_1, count_work);
static DECLARE_WORK(work_2, count_work);

static void race(void)
{
	queue_work(system_unbound_wq, &work_1);
	queue_work(system_unbound_wq, &work_2);
	msleep(3000);
	WRITE_ONCE(enough, true);
	flush_work(&work_1);
	flush_work(&work_2);
}

static const struct {
	const char *kind;
	void (*do_it)(void);
} mistakes[] = {
	{ "use_after_free", use_after_free },
	{ "leak", leak },
	{ "overshoot", overshoot },
	{ "wrong_order", wrong_order },
	{ "outside_rcu", outside_rcu },
	{ "sleep_with_lock", sleep_with_lock },
	{ "any_processor", any_processor },
	{ "free_timer", free_timer },
	{ "revive", revive },
	{ "race", race },
};

static int __init splat_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mistakes); i++) {
		if (strcmp(kind, mistakes[i].kind))
			continue;
		mistakes[i].do_it();
		return -ECANCELED;
	}
	return -EINVAL;
}
module_init(splat_init);

MODULE_DESCRIPTION("Mistakes that must not go unnoticed");
MODULE_LICENSE("GPL");
