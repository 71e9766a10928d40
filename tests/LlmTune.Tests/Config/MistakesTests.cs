using LlmTune.Config;
using LlmTune.Recipes;

namespace LlmTune.Tests.Config;

/// <summary>What a user reads when a run file is wrong.</summary>
public class MistakesTests
{
    private const string Good = """
        model: { path: Qwen/Qwen2.5-0.5B }
        data: { sources: [{ path: a.jsonl }] }
        training: { output_dir: out }
        """;

    private static string[] Of(string yaml, params string[] overrides) =>
        Assert.Throws<ConfigException>(() => ConfigFile.Parse<RunConfig>(yaml, "run.yaml", overrides)).Message.Split('\n');

    [Fact]
    public void Every_mistake_is_told_at_once_in_the_order_of_the_file() => Assert.Equal(
    [
        "run.yaml:1:8: model.path is missing: model folder, or a hub id in the local Hugging Face cache",
        "run.yaml:1:10: unknown key 'pth' in model, did you mean 'path'?",
        "run.yaml:2:1: unknown key 'adaptor', did you mean 'adapter'?",
        "run.yaml:4:32: data.sources.0.weight must be more than 0, got -1",
        "run.yaml:5:15: data.max_length must be a whole number, got 'two thousand'",
        "run.yaml:6:12: data.packing must be true, false or wrapped, got 'wraped', did you mean 'wrapped'?",
        "run.yaml:9:3: unknown key 'learnig_rate' in training, did you mean 'learning_rate'?",
        "run.yaml:10:10: training.optim must be adamw_torch or adamw_torch_fused, got 'adamw_torch_fussed', did you mean 'adamw_torch_fused'?",
        "run.yaml:11:17: training.weight_decay must be at least 0, got -0.1",
    ],
    Of("""
        model: { pth: x }
        adaptor: { r: 8 }
        data:
          sources: [{ path: a, weight: -1 }]
          max_length: two thousand
          packing: wraped
        training:
          output_dir: out
          learnig_rate: 1e-4
          optim: adamw_torch_fussed
          weight_decay: -0.1
        """));

    [Theory]
    [InlineData("adapter: { r: 0 }", "run.yaml:4:15: adapter.r must be at least 1, got 0")]
    [InlineData("adapter: { r: 8.0 }", "run.yaml:4:15: adapter.r must be a whole number, got 8.0; write 8")]
    [InlineData("adapter: { r: '8' }", "run.yaml:4:15: adapter.r must be a whole number, got '8'; write it without quotes: 8")]
    [InlineData("adapter: { r: 1_000 }", "run.yaml:4:15: adapter.r must be a whole number, got '1_000'; write 1000")]
    [InlineData("adapter: { r: 3000000000 }", "run.yaml:4:15: adapter.r must be a whole number up to 2147483647, got 3000000000")]
    [InlineData("adapter: { r: }", "run.yaml:4:15: adapter.r must be a whole number, got nothing")]
    [InlineData("adapter: { r: [8] }", "run.yaml:4:15: adapter.r must be a whole number, got a list")]
    [InlineData("adapter: { lora_dropout: 1 }", "run.yaml:4:26: adapter.lora_dropout must be at least 0 and less than 1, got 1")]
    [InlineData("adapter: { lora_alpha: .inf }", "run.yaml:4:24: adapter.lora_alpha must be a finite number, got .inf")]
    [InlineData("adapter: { use_rslora: yes }", "run.yaml:4:24: adapter.use_rslora must be true or false, got 'yes'; write true")]
    [InlineData("adapter: { use_rslora: 0 }", "run.yaml:4:24: adapter.use_rslora must be true or false, got 0; write false")]
    [InlineData("adapter: { type: lroa }", "run.yaml:4:18: adapter.type must be lora, got 'lroa', did you mean 'lora'?")]
    [InlineData("adapter: lora", "run.yaml:4:10: adapter must be a section with type lora, got 'lora'; write { type: lora }")]
    [InlineData("adapter:", "run.yaml:4:9: adapter has nothing in it; leave the key out, write null, or write what belongs there")]
    [InlineData("adapter: { target_modules: [] }", "run.yaml:4:28: adapter.target_modules must be all-linear, a list of names, or a regular expression, got an empty list")]
    [InlineData("adapter: { target_modules: [q_proj, 7] }", "run.yaml:4:37: adapter.target_modules.1 must be text, got the number 7; write it in quotes: '7'")]
    [InlineData("adapter: { bias: some }", "run.yaml:4:18: adapter.bias must be none, all or lora_only, got 'some'")]
    [InlineData("adapter: { rank_pattern: [q_proj] }", "run.yaml:4:26: adapter.rank_pattern must be a section of regular expressions, each with a whole number, got a list")]
    [InlineData("adapter: { rank_pattern: { (?<a>q): 2 } }",
        "run.yaml:4:28: adapter.rank_pattern has '(?<a>q)', which is not a regular expression: unknown extension ?<; a named group is written (?P<name>…) at position 2")]
    [InlineData("adapter: { rank_pattern: { q_proj: two } }", "run.yaml:4:36: adapter.rank_pattern.q_proj must be a whole number, got 'two'")]
    [InlineData("adapter: { rank_pattern: { q_proj: 0 } }", "run.yaml:4:26: adapter.rank_pattern must be ranks of at least 1, got [(q_proj, 0)]")]
    [InlineData("adapter: { layers_to_transform: one }", "run.yaml:4:33: adapter.layers_to_transform must be a whole number, got 'one'")]
    [InlineData("adapter: { layers_pattern: h }", "run.yaml:4:28: adapter.layers_pattern says where layers_to_transform finds a layer's number; set both or none")]
    [InlineData("adapter: { layers_to_transform: 1, target_modules: .*q_proj }", "run.yaml:4:33: adapter.layers_to_transform goes with a list of target_modules; a regular expression names its layers itself")]
    [InlineData("adapter: { path: out/first, r: 4 }", "run.yaml:4:18: adapter.path goes on with an adapter as it is; leave out the other settings of the adapter")]
    [InlineData("adapter: { path: out/first, lora_alpha: 5 }", "run.yaml:4:18: adapter.path goes on with an adapter as it is; leave out the other settings of the adapter")]
    [InlineData("adapter: { max_length: 512 }", "run.yaml:4:12: unknown key 'max_length' in adapter, did you mean 'data.max_length'?")]
    [InlineData("learning_rate: 1e-4", "run.yaml:4:1: unknown key 'learning_rate', did you mean 'training.learning_rate'?")]
    [InlineData("nonsense: 1", "run.yaml:4:1: unknown key 'nonsense'")]
    [InlineData("device: gpu", "run.yaml:4:9: device must be auto, cpu, cuda or cuda:N, got gpu")]
    [InlineData("version: 2", "run.yaml:4:10: version must be 1, the only version there is, got 2")]
    [InlineData("model: { path: x }", "run.yaml:4:1: duplicate key 'model', first written in line 1")]
    [InlineData("device: !cpu cpu", "run.yaml:4:9: the tag !cpu is not supported; leave it out")]
    [InlineData("device: *d", "run.yaml:4:9: *d has no anchor &d before it")]
    [InlineData("? [a]\n: 1", "run.yaml:4:3: a key must be a name, got a list")]
    [InlineData("---\ndevice: cpu", "run.yaml:4:1: a second document begins here (---); a run file is one document")]
    [InlineData("adapter: { <<: 7 }", "run.yaml:4:16: << merges a section or a list of sections, got 7")]
    public void Of_a_line(string line, string message) => Assert.Equal([message], Of($"{Good}\n{line}"));

    [Theory]
    [InlineData("output_dir: out, warmup_steps: 1.5", "run.yaml:3:44: training.warmup_steps must be a whole number of steps, or a share below 1, got 1.5")]
    [InlineData("output_dir: out, warmup_steps: 5, warmup_ratio: 0.1", "run.yaml:3:61: training.warmup_ratio cannot stand beside warmup_steps; keep one of them")]
    [InlineData("output_dir: out, warmup_steps: 5, lr_scheduler_type: constant", "run.yaml:3:44: training.warmup_steps has no effect with lr_scheduler_type: constant; use constant_with_warmup, or leave it out")]
    [InlineData("output_dir: out, eval_strategy: steps", "run.yaml:3:45: training.eval_strategy is steps, but eval_steps does not say how many")]
    [InlineData("output_dir: out, eval_strategy: epoch", "run.yaml:3:45: training.eval_strategy asks for evaluation, but data.eval holds nothing out; add data.eval: { fraction: 0.02 }, or leave this out")]
    [InlineData("output_dir: out, gradient_checkpointing: some", "run.yaml:3:54: training.gradient_checkpointing must be auto, true, false or a number of blocks, got 'some'")]
    [InlineData("output_dir: out, gradient_checkpointing: -1", "run.yaml:3:54: training.gradient_checkpointing must be at least 0, got -1")]
    [InlineData("output_dir: out, max_steps: 0", "run.yaml:3:41: training.max_steps must be at least 1, or -1 for as many as the epochs have, got 0")]
    [InlineData("output_dir: 3.10", "run.yaml:3:25: training.output_dir must be a path, got the number 3.10; write it in quotes: '3.10'")]
    [InlineData("output_dir: \"\\0\"", "run.yaml:3:25: training.output_dir must be a path, got a text with a null character")]
    [InlineData("output_dir: ''", "run.yaml:3:25: training.output_dir must be a path, got an empty text")]
    public void Of_training(string settings, string message) =>
        Assert.Equal([message], Of(Good.Replace("output_dir: out", settings, StringComparison.Ordinal)));

    [Theory]
    [InlineData("sources: []", "run.yaml:2:18: data.sources needs at least one entry, got none")]
    [InlineData("sources: a.jsonl", "run.yaml:2:18: data.sources must be a list, got 'a.jsonl'; write [{ path: a.jsonl }]")]
    [InlineData("sources: [a.jsonl]", "run.yaml:2:19: data.sources.0 must be a section with path, format or columns …, got 'a.jsonl'; write { path: a.jsonl }")]
    [InlineData("sources: [{ path: a, limit: 0 }, { format: messages }]", "run.yaml:2:37: data.sources.0.limit must be at least 1, got 0\nrun.yaml:2:42: data.sources.1.path is missing: a file, a folder, a pattern (data/*.jsonl), or \"-\" for standard input")]
    [InlineData("sources: [{ path: a, columns: { prompt: 1 } }]", "run.yaml:2:49: data.sources.0.columns.prompt must be text, got the number 1; write it in quotes: '1'")]
    [InlineData("sources: [{ path: a }], eval: { fraction: 1 }", "run.yaml:2:51: data.eval.fraction must be more than 0 and less than 1, got 1")]
    [InlineData("sources: [{ path: a }], eval: {}", "run.yaml:2:39: data.eval needs one of fraction, count or sources")]
    [InlineData("sources: [{ path: a }], eval: { fraction: 0.1, count: 5 }", "run.yaml:2:63: data.eval.count cannot stand beside fraction; keep one of them")]
    public void Of_data(string settings, string messages) =>
        Assert.Equal(messages.Split('\n'), Of(Good.Replace("sources: [{ path: a.jsonl }]", settings, StringComparison.Ordinal)));

    /// <summary>Double quotes make escapes of the backslashes of Windows; what is none is bad YAML, what is one is no path.</summary>
    [Theory]
    [InlineData(@"C:\data\x.jsonl", @"not valid YAML: \d is no escape; in double quotes a backslash begins one")]
    [InlineData(@"C:\Users\me\x.jsonl", @"not valid YAML: \U is no escape; in double quotes a backslash begins one")]
    [InlineData(@"C:\x.jsonl", @"not valid YAML: \x is no escape; in double quotes a backslash begins one")]
    [InlineData(@"data\my.jsonl", @"not valid YAML: \m is no escape; in double quotes a backslash begins one")]
    [InlineData(@"C:\new\rows.jsonl", @"data.sources.0.path must be a path, got one with the escape \n; in double quotes a backslash begins an escape")]
    [InlineData(@"D:\rows\t.jsonl", @"data.sources.0.path must be a path, got one with the escape \r; in double quotes a backslash begins an escape")]
    [InlineData(@"data\test.jsonl", @"data.sources.0.path must be a path, got one with the escape \t; in double quotes a backslash begins an escape")]
    [InlineData(@"C:\Lists\a.jsonl", @"data.sources.0.path must be a path, got one with the escape \L; in double quotes a backslash begins an escape")]
    public void Of_a_path_with_backslashes_in_double_quotes(string path, string message)
    {
        const string Cure = ": write a Windows path in single quotes ('C:\\data') or with slashes (C:/data)";
        var said = Assert.Single(Of(Good.Replace("a.jsonl", $"\"{path}\"", StringComparison.Ordinal)));
        Assert.StartsWith("run.yaml:2:", said, StringComparison.Ordinal);
        Assert.EndsWith(message + Cure, said, StringComparison.Ordinal);
        ConfigFile.Parse<RunConfig>(Good.Replace("a.jsonl", $"'{path}'", StringComparison.Ordinal), "run.yaml");
    }

    [Fact]
    public void Of_the_path_of_a_model_with_backslashes_in_double_quotes() => Assert.Contains(
        @"model.path must be a path, got one with the escape \n; ", Assert.Single(Of(Good.Replace("Qwen/Qwen2.5-0.5B", "\"C:\\new\\team\"", StringComparison.Ordinal))), StringComparison.Ordinal);

    [Theory]
    [InlineData("{ Customer: user, Agent: assistant, Call: function_call }", null)]
    [InlineData("{ Customer: client }", "run.yaml:2:43: data.sources.0.roles makes 'Customer' the role client, which templates do not know; there are system, developer, user, assistant, tool, function, ipython or function_call")]
    public void Of_roles(string roles, string? message)
    {
        var yaml = Good.Replace("path: a.jsonl", $"path: a.jsonl, roles: {roles}", StringComparison.Ordinal);
        if (message is not null) Assert.Equal([message], Of(yaml));
        else Assert.Equal(3, ConfigFile.Parse<RunConfig>(yaml, "run.yaml").Data.Sources[0].Roles!.Count);
    }

    [Fact]
    public void Of_syntax()
    {
        Assert.Equal(["run.yaml:2:1: not valid YAML: a tab in the indentation; use spaces"], Of("model:\n\tpath: x\n"));
        Assert.StartsWith("run.yaml:2:1: not valid YAML: ", Assert.Single(Of("model: [\n")), StringComparison.Ordinal);
        Assert.StartsWith("run.yaml:2:8: not valid YAML: ", Assert.Single(Of("a: 1\nmodel: @x\n")), StringComparison.Ordinal);
        Assert.Equal(["run.yaml:1:11: not valid YAML: something is missing here, as a colon, a comma or a bracket"], Of("model: { a: 1\nb: 2\n"));
        Assert.Equal(["run.yaml:1:66: nested deeper than 64 levels"], Of(new string('[', 10_000)));
    }

    [Fact]
    public void Of_a_file_that_says_nothing()
    {
        string[] missing =
        [
            "run.yaml:1:1: model is missing: which model is tuned",
            "run.yaml:1:1: data is missing: what it is trained on",
            "run.yaml:1:1: training is missing: how it is trained",
        ];
        Assert.Equal(missing, Of(""));
        Assert.Equal(missing, Of("# only a comment\n"));
        Assert.Equal(["run.yaml:1:1: a run file consists of sections (version, device, model, adapter, data, objective, training), got 'hello'"], Of("hello"));
    }

    [Theory]
    [InlineData("adapter.r=0", "adapter.r=0 (command line): adapter.r must be at least 1, got 0")]
    [InlineData("adaptor.r=8", "adaptor.r=8 (command line): unknown key 'adaptor', did you mean 'adapter'?")]
    [InlineData("adapter.rr=8", "adapter.rr=8 (command line): unknown key 'rr' in adapter, did you mean 'r'?")]
    [InlineData("r=8", "r=8 (command line): unknown setting 'r', did you mean 'adapter.r'?")]
    [InlineData("type=lora", "type=lora (command line): unknown setting 'type', did you mean 'adapter.type' or 'objective.type'?")]
    [InlineData("lerning_rate=1", "lerning_rate=1 (command line): unknown setting 'lerning_rate', did you mean 'learning_rate'?")]
    [InlineData("max_lenght=1", "max_lenght=1 (command line): unknown setting 'max_lenght', did you mean 'data.max_length'?")]
    [InlineData("adapter.r", "adapter.r (command line): a setting is changed by key=value, as in adapter.r=8")]
    [InlineData("=8", "=8 (command line): a setting is changed by key=value, as in adapter.r=8")]
    [InlineData("data.sources.2.weight=2", "data.sources.2.weight=2 (command line): data.sources is a list of 1; name an entry by its number from 0, or 1 for a new one")]
    [InlineData("data.sources.first.weight=2", "data.sources.first.weight=2 (command line): data.sources is a list of 1; name an entry by its number from 0, or 1 for a new one")]
    [InlineData("model.path.x=2", "model.path.x=2 (command line): model.path must be a path, got a section")]
    [InlineData("seed=", "seed= (command line): training.seed must be a whole number, got nothing")]
    public void Of_an_override(string assignment, string message) => Assert.Equal([message], Of(Good, assignment));

    [Fact]
    public void Of_an_override_in_broken_yaml() =>
        Assert.StartsWith("adapter.target_modules=[a (command line): not valid YAML: ", Of(Good, "adapter.target_modules=[a")[0], StringComparison.Ordinal);

    [Fact]
    public void Mistakes_of_the_file_and_of_overrides_come_together() => Assert.Equal(
    [
        "run.yaml:4:9: device must be auto, cpu, cuda or cuda:N, got gpu",
        "seed=x (command line): training.seed must be a whole number, got 'x'",
        "nope.x=1 (command line): unknown key 'nope'",
    ],
    Of(Good + "\ndevice: gpu", "seed=x", "nope.x=1"));

    [Fact]
    public void A_file_that_is_not_there_is_named_with_what_was_meant()
    {
        var folder = Directory.CreateTempSubdirectory("llmtune").FullName;
        File.WriteAllText(Path.Join(folder, "lora.yaml"), Good);
        var path = Path.Join(folder, "lora.yml");
        Assert.Equal(
            $"there is no file {path} in {Directory.GetCurrentDirectory()}, did you mean '{Path.Join(folder, "lora.yaml")}'?",
            Assert.Throws<RequestException>(() => ConfigFile.Load<RunConfig>(path)).Message);
        Assert.Equal($"{folder} is a folder; a run file is needed", Assert.Throws<RequestException>(() => ConfigFile.Load<RunConfig>(folder)).Message);
        Directory.Delete(folder, recursive: true);
    }
}
