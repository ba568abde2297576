// Everything a suite needs from the kit but properties, which are dear to compile: property.hpp.
#pragma once

#include "census.hpp"
#include "eventually.hpp"
#include "flavour.hpp"
#include "gate.hpp"
#include "heap.hpp"
#include "history.hpp"
#include "left_alone.hpp"
#include "outcomes.hpp"
#include "printers.hpp"
#include "report.hpp"
#include "stress.hpp"
#include "tracked.hpp"
