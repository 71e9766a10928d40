using System.Globalization;
using System.Text.Json.Nodes;
using LlmTune.Data;
using LlmTune.Io;
using LlmTune.Models;
using LlmTune.Recipes;
using LlmTune.Training;

namespace LlmTune.Tests.Recipes;

/// <summary>The folder of a run through everything that can happen to a row of attempts, without training anything.</summary>
public sealed class RunFolderTests : IDisposable
{
    private static readonly string Dead = int.MaxValue.ToString(CultureInfo.InvariantCulture);   // no process has this number

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private RunConfig Config(string output = "run") => new RunConfig
    {
        Model = new ModelConfig { Path = "model" },
        Data = new DataConfig { Sources = [new SourceConfig { Path = "rows" }] },
        Training = new TrainingConfig { OutputDir = _folder[output] },
    }.Resolved();

    private RunFolder Begin(bool force = true) => RunFolder.Create(Config(), force, new JsonObject { ["steps"] = 1 });

    /// <summary>As if the run had written what it learnt.</summary>
    private static void Save(RunFolder run, string learnt) => AtomicFolder.Write(run.Adapter, replace: false, staged =>
    {
        foreach (var file in new[] { "adapter_config.json", "adapter_model.safetensors", "tokenizer.json" }) File.WriteAllText(Path.Combine(staged, file), learnt);
    });

    /// <summary>What was learnt by the runs that are there, wherever.</summary>
    private HashSet<string> Learnt => [.. Directory.GetDirectories(_folder.Path, "run*").Select(run => Path.Combine(run, "adapter", "adapter_model.safetensors")).Where(File.Exists).Select(File.ReadAllText)];

    private string[] Names => [.. Directory.GetDirectories(_folder.Path).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal)];

    /// <summary>What becomes of an attempt, each as it is left behind, with the files that kill -9 at that moment leaves.</summary>
    private void Attempt(string end, string learnt)
    {
        var before = RunFolder.Is(_folder["run"]);
        if (end == "killed while its folder is made")
        {
            Directory.CreateDirectory(_folder[$".run.{Dead}.partial"]);
            return;
        }
        if (end == "killed between the two renames" && before)
        {
            Directory.CreateDirectory(_folder[$".run.{Dead}.partial"]);
            Directory.Move(_folder["run"], ReplacedRuns.NextPlace(_folder["run"]));
            return;
        }
        var run = Begin();
        if (end == "killed while it saves")
        {
            var half = Path.Combine(run.Path, $".adapter.{Dead}.partial");
            Directory.CreateDirectory(half);
            File.WriteAllText(Path.Combine(half, "adapter_config.json"), "half");
        }
        if (end is "stopped" or "killed before the old ones go" or "whole") Save(run, learnt);
        if (end == "whole") run.Finish();
    }

    private static readonly string[] Ends =
    [
        "killed while its folder is made", "killed between the two renames", "killed before its first step", "killed while it saves", "stopped",
        "killed before the old ones go", "whole",
    ];

    public static IEnumerable<TheoryDataRow<string, string>> Pairs => from second in Ends from third in Ends select new TheoryDataRow<string, string>(second, third);

    /// <summary>
    /// A is whole; B and C end as they may; D is whole. After each of them all is there that was learnt since, and with, the last whole run.
    /// </summary>
    [Theory]
    [MemberData(nameof(Pairs))]
    public void What_was_learnt_is_there_until_a_new_run_is_whole(string second, string third)
    {
        HashSet<string> expected = [];
        foreach (var (end, learnt) in new[] { ("whole", "A"), (second, "B"), (third, "C"), ("whole", "D") })
        {
            Attempt(end, learnt);
            if (end == "whole") expected.Clear();
            if (end is "whole" or "stopped" or "killed before the old ones go") expected.Add(learnt);
            Assert.Equal(expected, Learnt);
        }
        Assert.Equal(["run"], Names);
        Assert.True(RunFolder.Open(_folder["run"]).IsFinished);
    }

    [Fact]
    public void The_old_run_stands_under_its_name_until_the_new_folder_is_ready()
    {
        Save(Begin(), "A");
        List<string> seen = [];
        AtomicFolder.Write(
            _folder["run"], replace: true,
            staged =>
            {
                seen.AddRange(Names);
                File.WriteAllText(Path.Combine(staged, RunFolder.RecordName), "{}");
            },
            _folder["run.replaced"]);
        Assert.Equal([$".run.{Environment.ProcessId}.partial", "run"], seen);
        Assert.Equal(["run", "run.replaced"], Names);
        Assert.Equal(["A"], Learnt);

        // A full disk: nothing has moved.
        Assert.Throws<IOException>(() => AtomicFolder.Write(_folder["run"], replace: true, _ => throw new IOException("no space left"), _folder["run.replaced-2"]));
        Assert.Equal(["run", "run.replaced"], Names);
    }

    [Fact]
    public void What_kill_leaves_of_a_deletion_goes_with_the_next()
    {
        Save(Begin(), "A");
        Save(Begin(), "B");
        Directory.Move(_folder["run.replaced"], _folder[$".run.replaced.{Dead}.partial"]);   // killed here, before all of it was deleted
        var run = Begin();
        Assert.Equal([_folder["run.replaced"]], run.Replaced);
        Save(run, "C");
        Assert.Equal([_folder["run.replaced"]], run.Finish());
        Assert.Equal(["run"], Names);
    }

    [Fact]
    public void Without_force_nothing_that_was_put_aside_is_deleted()
    {
        Save(Begin(), "A");
        Directory.Move(_folder["run"], _folder["run.replaced"]);   // killed between the two renames
        var run = Begin(force: false);
        Save(run, "B");
        Assert.Empty(run.Finish());
        Assert.Equal(["A", "B"], Learnt.Order());
        Assert.Equal(
            $"{_folder["run"]} holds a run already (what it was to replace is still in {_folder["run.replaced"]}); name another training.output_dir, or say --force to replace it",
            Assert.Throws<RequestException>(() => Begin(force: false)).Message);
        Directory.Delete(run.Adapter, recursive: true);
        Assert.Equal(
            $"{run.Path} holds a run that has not finished: it has neither adapter nor model; what it was to replace is in {_folder["run.replaced"]}",
            Assert.Throws<RequestException>(() => ModelSource.Resolve(run.Path)).Message);
    }

    /// <summary>Folders that are called so and are none of ours: a run that was written there, something else, a number that is none.</summary>
    [Fact]
    public void Folders_of_such_names_that_are_something_else_stay()
    {
        RunFolder.Create(Config("run.replaced"), force: false, []);
        Directory.CreateDirectory(_folder["run.replaced-2"]);
        Save(Begin(), "A");
        Save(RunFolder.Create(Config("run.replaced-notes"), force: false, []), "notes");
        var run = Begin();
        Assert.Equal([_folder["run.replaced-3"]], run.Replaced);
        Save(run, "B");
        run.Finish();
        Assert.Equal(["run", "run.replaced", "run.replaced-2", "run.replaced-notes"], Names);
    }

    /// <summary>A folder that somebody has made for it, perhaps a mounted disk, is filled where it is.</summary>
    [Fact]
    public void An_empty_folder_is_taken_as_it_is()
    {
        if (OperatingSystem.IsWindows()) Assert.Skip("a link needs a right there");
        Directory.CreateDirectory(_folder["disk"]);
        Directory.CreateSymbolicLink(_folder["run"], _folder["disk"]);
        var run = Begin(force: false);
        Assert.Equal(["run.json", "run.yaml"], Directory.GetFileSystemEntries(_folder["disk"]).Select(Path.GetFileName).Order());
        Assert.Equal(_folder["run"], run.ReadConfig().Training.OutputDir);
    }

    [Fact]
    public void A_run_that_is_going_on_is_not_replaced()
    {
        var run = Begin();
        using (JsonLinesWriter.Append(run.Metrics))
        {
            Assert.Equal(
                $"{_folder["run"]} holds a run that is going on; name another training.output_dir, or wait for it",
                Assert.Throws<RequestException>(() => Begin()).Message);
        }
        Begin();
    }
}
