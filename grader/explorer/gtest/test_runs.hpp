// A GoogleTest TEST as something to run under many schedules, unchanged.
#pragma once

#include <string>
#include <vector>

#include "search/child.hpp"

namespace explorer {

// The tests of suite Explored that --gtest_filter selects, in the order of the file.
std::vector<std::string> selected_tests();

// Runs that test once. The schedule begins before its fixture is made and ends when the fixture is
// gone and every thread has ended; its first failed assertion ends the schedule.
RunOnce run_of(const std::string& test);

// Listens to GoogleTest instead of its printer. Call once, after InitGoogleTest.
void install_listener();

// What the workbook's own runtime noticed: an exception that left a spawned function, else empty.
std::string trouble_after_test();

// What a test said it saw happen, for whoever was asked to predict it.
struct Observation {
  std::string question;
  std::string answer;
};

// What the running test observed since the last call.
std::vector<Observation> observations_after_test();

// Carries them from the process of the test to the one that watches.
void keep_observations(const std::vector<Observation>& seen);
std::vector<Observation> kept_observations();

}  // namespace explorer
