// A siege: workers in processes of their own, killed, stopped beyond their leases and cut off, on a
// server that crashes. What is left when all is settled must be right.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "suite_roles.hpp"
#include "suite_support.hpp"

namespace leased_suite {

struct SiegePlan {
  int promises = 0;
  std::size_t workers = 0;
  std::size_t awaiters = 0;
  milliseconds ttl{};
  milliseconds most_work{};   // on one promise, in steps with a heartbeat after each
  milliseconds kill_every{};  // SIGKILL for one of the workers
  bool crash = false;         // of the server, when half is settled
};

struct SiegeReport {
  int settled = 0;
  int deaths = 0;
  int frozen = 0;   // stopped until somebody else had what they worked on
  int cut = 0;      // connections
  int crashes = 0;  // of the server
  int takeovers = 0;
  int refused = 0;  // of those that had lost their lease
  std::vector<double> settle_ms;
  double seconds = 0;
};

// The besieger. For the thread that runs the test.
class Siege {
 public:
  Siege(SiegePlan plan, std::uint64_t seed) : plan_(plan), random_(seed) {
    set_up(store_, {});
    // Every change of an outcome leaves a trace, whoever makes it.
    world_.tell("CREATE TABLE trace (id bytea, before text, after text)");
    world_.tell(
        "CREATE FUNCTION trace() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO trace "
        "VALUES (OLD.id, OLD.state, NEW.state); RETURN NULL; END $$");
    world_.tell(
        "CREATE TRIGGER trace AFTER UPDATE ON leased_promise FOR EACH ROW WHEN (OLD.state <> "
        "'pending' OR NEW.state <> 'pending') EXECUTE FUNCTION trace()");
    for (int i = 0; i < plan_.promises; ++i) {
      const auto created = store_.create(forever, "p" + std::to_string(i));
      if (!created) throw std::runtime_error("create: " + told(created));
    }
  }

  // False: not all was settled, or not all awaiters heard of it, in time.
  bool run(std::chrono::steady_clock::duration limit) {
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < plan_.awaiters; ++i) {
      awaiters_.push_back(std::make_unique<Talker>(
          "await_all", std::vector<std::string>{world_.connection("awaiter"),
                                                std::to_string(plan_.promises), number()}));
    }
    for (std::size_t i = 0; i < plan_.workers; ++i) workers_.push_back(new_worker());
    auto next = start + plan_.kill_every;
    const bool all = workbook::eventually(
        [&] {
          std::this_thread::sleep_for(5ms);
          listen();
          thaw_those_that_are_too_late();
          if (std::chrono::steady_clock::now() >= next) {
            attack();
            next = std::chrono::steady_clock::now() + plan_.kill_every;
          }
          return count("state <> 'pending'") == plan_.promises;
        },
        limit);
    report_.settled = count("state <> 'pending'");
    const auto took = std::chrono::steady_clock::now() - start;
    report_.seconds = std::chrono::duration<double>(took).count();
    for (auto& worker : workers_) worker->child.thaw();
    const bool heard = all && workbook::eventually(
                                  [&] {
                                    listen();
                                    return std::ranges::all_of(awaiters_, [&](auto& one) {
                                      return one->lines >= plan_.promises;
                                    });
                                  },
                                  limit);
    for (auto& worker : workers_) {
      worker->child.kill();
      worker->child.wait();
    }
    listen();
    return heard;
  }

  void check() {
    if (!troubles_.empty()) {
      ADD_FAILURE() << "errors that no caller should see: " << troubles_.size()
                    << "; the first: " << troubles_.front();
    }
    EXPECT_EQ(report_.settled, plan_.promises);
    const auto twice = world_.tell(
        "SELECT convert_from(id, 'UTF8'), count(*) FROM trace GROUP BY id HAVING count(*) <> 1 OR "
        "min(before) <> 'pending'");
    EXPECT_EQ(twice.rows(), 0) << "promises that did not settle exactly once, such as "
                               << (twice.empty() ? "" : twice.text(0, 0));
    const auto rows = world_.tell("SELECT id, token, value FROM leased_promise ORDER BY number");
    std::map<std::string, std::string> stands;
    for (int row = 0; row < rows.rows(); ++row) {
      stands[rows.bytes(row, 0)] = rows.bytes(row, 2);
      const auto prefix = rows.bytes(row, 0) + " " + rows.text(row, 1) + " by ";
      EXPECT_TRUE(rows.bytes(row, 2).starts_with(prefix))
          << "the last lease is \"" << prefix
          << "...\", and a zombie's value stands: " << rows.bytes(row, 2);
    }
    for (const auto& [id, values] : acknowledged_) {
      EXPECT_EQ(values.size(), 1U) << "two workers were told that they had settled " << id;
      EXPECT_TRUE(values.contains(stands[id]))
          << "a worker was told that it had settled " << id << " with \"" << *values.begin()
          << "\", and what stands is \"" << stands[id] << '"';
    }
    for (const auto& [id, values] : got_) {
      EXPECT_TRUE(values.size() == 1 && values.contains(stands[id]))
          << "what stands for " << id << " is \"" << stands[id] << "\", and an awaiter got \""
          << *values.begin() << '"';
    }
    EXPECT_EQ(static_cast<int>(got_.size()), plan_.awaiters == 0 ? 0 : plan_.promises);
  }

  const SiegeReport& report() const { return report_; }

 private:
  // A child, and what it has said.
  struct Talker {
    Talker(std::string_view role, const std::vector<std::string>& arguments)
        : child(role, arguments) {}
    workbook::Child child;
    Lease claimed;  // the last one
    bool frozen = false;
    int lines = 0;
  };

  std::string number() { return std::to_string(random_()); }

  std::unique_ptr<Talker> new_worker() {
    return std::make_unique<Talker>(
        "work", std::vector<std::string>{world_.connection("worker"),
                                         "w" + std::to_string(++workers_so_far_),
                                         std::to_string(plan_.ttl.count()),
                                         std::to_string(plan_.most_work.count()), number()});
  }

  int count(const std::string& condition) {
    return static_cast<int>(
        world_.tell("SELECT count(*) FROM leased_promise WHERE " + condition).number(0, 0));
  }

  void listen() {
    for (auto& worker : workers_) listen_to(*worker);
    for (auto& awaiter : awaiters_) listen_to(*awaiter);
  }

  void listen_to(Talker& talker) {
    while (talker.child.ready()) {
      const auto line = talker.child.line();
      if (!line) return;
      ++talker.lines;
      std::istringstream words(*line);
      std::string what;
      Lease lease;
      words >> what >> lease.id;
      if (what == "got") {
        std::string value;
        std::getline(words >> std::ws, value);
        got_[lease.id].insert(value);
        continue;
      }
      words >> lease.token;
      if (what == "claimed") {
        talker.claimed = lease;
        if (lease.token > 1) ++report_.takeovers;
      } else if (what == "settled") {
        std::string value;
        double took = 0;
        std::getline(words >> took >> std::ws, value);
        acknowledged_[lease.id].insert(value);
        report_.settle_ms.push_back(took);
      } else if (what == "refused") {
        ++report_.refused;
      } else {
        troubles_.push_back(*line);
      }
    }
  }

  // Whether the database has somebody else for what this one is at, or nobody any more.
  bool is_too_late(const Talker& talker) {
    const auto row = world_.tell("SELECT state, token FROM leased_promise WHERE id = $1",
                                 {Bytes{talker.claimed.id}});
    return row.empty() || row.text(0, 0) != "pending" || row.number(0, 1) != talker.claimed.token;
  }

  void attack() {
    ++attacks_;
    if (plan_.crash && report_.crashes == 0 && count("state <> 'pending'") >= plan_.promises / 2) {
      ++report_.crashes;
      server_.crash();
      server_.start();
      world_.reconnect();
    }
    kill_one();
    if (attacks_ % 3 == 0) freeze_one();
    if (attacks_ % 4 == 0) cut_one();
  }

  Talker& any_worker() { return *workers_[random_() % workers_.size()]; }

  void kill_one() {
    auto& victim = workers_[random_() % workers_.size()];
    if (victim->frozen) return;
    victim->child.kill();
    victim->child.wait();
    listen_to(*victim);  // its last words
    ++report_.deaths;
    victim = new_worker();
  }

  void freeze_one() {
    auto& victim = any_worker();
    const auto frozen = std::ranges::count_if(workers_, [](auto& one) { return one->frozen; });
    if (victim.frozen || frozen > 1) return;
    victim.child.freeze();
    listen_to(victim);
    victim.frozen = !is_too_late(victim);
    if (!victim.frozen) victim.child.thaw();  // it was between two promises
  }

  void thaw_those_that_are_too_late() {
    for (auto& worker : workers_) {
      if (!worker->frozen || !is_too_late(*worker)) continue;
      ++report_.frozen;
      worker->frozen = false;
      worker->child.thaw();
    }
  }

  void cut_one() {
    const auto cut = world_.tell(
        "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE "
        "application_name LIKE '%.worker' OR application_name LIKE '%.awaiter' ORDER BY md5(pid || "
        "$1) LIMIT 1) AS victim",
        {number()});
    report_.cut += cut.rows();
  }

  SiegePlan plan_;
  std::mt19937_64 random_;
  workbook::PostgresServer server_;
  World world_{server_};
  LeaseStore store_{world_.connection()};
  std::vector<std::unique_ptr<Talker>> workers_;
  std::vector<std::unique_ptr<Talker>> awaiters_;
  std::map<std::string, std::set<std::string>> acknowledged_;
  std::map<std::string, std::set<std::string>> got_;
  std::vector<std::string> troubles_;
  SiegeReport report_;
  int workers_so_far_ = 0;
  int attacks_ = 0;
};

}  // namespace leased_suite
