# The futures workbook: `make` shows what it can do. Nothing here needs a flag or a variable to
# be set; what is in [brackets] is optional.

BUILD ?= build
GRADER = $(BUILD)/tools/grader/grader
RUN = $(GRADER) --root . --build-dir "$(BUILD)"
submission = $(if $(SUBMISSION),--submission "$$SUBMISSION")
one_task = $(if $(TASK),,$(error Say which one: make $@ TASK=4))--task "$(TASK)"
task_or_challenge = $(if $(CHALLENGE),--challenge "$(CHALLENGE)",$(one_task))

help:
	@sed -n 's/^## \{0,1\}//p' Makefile

## The futures workbook
##
##   make grade [TASK=4] [SUBMISSION=dir]   grade your work, or one task of it
##   make predict TASK=4                    what you predicted, and what happens
##   make list                              the tasks, and how far you are
##   make hint TASK=4                       the next hint (it is written down)
##   make solution TASK=4                   the reference (it is written down)
##
##   make replay TASK=4 TOKEN=...           show a failing schedule step by step
##   make explore TASK=4 [SCHEDULES=1000]   try more schedules than a grade does
##
##   make stretch [CHALLENGE=s1] [SUBMISSION=dir] [SEED=1]
##                                          the challenges: met or not, and measured
##
## For those who look after the workbook
##
##   make test                              check everything (this takes a while)
##   make verify                            do tasks/ and solutions/ fit together?
##   make audit [TASK=4] [RUNS=20]          every suite on every known version
##   make scorecard [TASK=4] [RUNS=4]       how often the verdict is wrong
##   make bench                             the references, measured
##   make bench-explorer                    the explorer beside stress and ThreadSanitizer
##   make clean                             remove build/, and nothing else

grade: grader
	@$(RUN) grade $(if $(TASK),--task "$(TASK)") $(submission) $(if $(JSON),--json "$$JSON") \
	  $(if $(FAIL_BELOW),--fail-below "$(FAIL_BELOW)") $(if $(FRESH),--fresh)

list: grader
	@$(RUN) list $(submission)

hint: grader
	@$(RUN) hint $(one_task) $(submission)

solution: grader
	@$(RUN) solution $(one_task) $(submission)

predict: grader
	@$(RUN) predict $(one_task) $(submission)

replay: grader
	@$(RUN) replay $(task_or_challenge) $(submission) --token "$$TOKEN"

explore: grader
	@$(RUN) explore $(task_or_challenge) $(submission) $(if $(SCHEDULES),--schedules "$(SCHEDULES)") \
	  $(if $(SEED),--seed "$(SEED)")

# Only here is it installed what a challenge needs and no task does.
stretch: grader
	@BUILD="$(BUILD)" bash grader/setup.sh stretch "$(CHALLENGE)"
	@$(RUN) stretch $(if $(CHALLENGE),--challenge "$(CHALLENGE)") $(submission) \
	  $(if $(SEED),--seed "$(SEED)") $(if $(JSON),--json "$$JSON")

verify: grader
	@$(RUN) verify $(if $(FIX),--fix)

# Tasks and challenges, or only TASK=4, or only CHALLENGE=s1.
audit: grader
	@$(RUN) audit $(if $(TASK),--task "$(TASK)") $(if $(CHALLENGE),--challenge "$(CHALLENGE)") $(if $(JSON),--json "$$JSON") --loaded \
	  --earlier-runs $(or $(RUNS),20) --right-runs $(or $(RIGHT_RUNS),$(RUNS),20)

scorecard: grader
	@$(RUN) audit --scorecard $(if $(TASK),--task "$(TASK)") --loaded $(if $(JSON),--json "$$JSON") \
	  --earlier-runs $(or $(RUNS),4) --right-runs $(or $(RIGHT_RUNS),$(RUNS),4)
	@BUILD="$(BUILD)" bash grader/tests/run_all.sh hostile

test:
	@BUILD="$(BUILD)" bash grader/setup.sh test
	@BUILD="$(BUILD)" bash grader/tests/run_all.sh $(STEP)

bench:
	@BUILD="$(BUILD)" bash grader/setup.sh bench
	@BUILD="$(BUILD)" bash grader/tests/run_bench.sh

bench-explorer:
	@BUILD="$(BUILD)" bash grader/setup.sh
	@BUILD="$(BUILD)" bash grader/tests/run_bench.sh explorer $(SECONDS_EACH)

clean:
	rm -rf -- "$(BUILD)"

# What the machine lacks is installed first; when all is there this takes a few milliseconds.
setup:
	@BUILD="$(BUILD)" bash grader/setup.sh

grader: setup
	@BUILD="$(BUILD)" bash grader/build.sh

.PHONY: scorecard help stretch grade list hint solution predict replay explore verify audit test bench bench-explorer clean setup grader
