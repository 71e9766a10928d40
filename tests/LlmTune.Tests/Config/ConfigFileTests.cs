using System.Text.Json.Nodes;
using LlmTune.Adapters;
using LlmTune.Config;
using LlmTune.Data;
using LlmTune.Models;
using LlmTune.Recipes;
using LlmTune.Training;

namespace LlmTune.Tests.Config;

public class ConfigFileTests
{
    private const string Minimal = """
        model: { path: Qwen/Qwen2.5-0.5B }
        adapter: { r: 4 }
        data: { sources: [{ path: a.jsonl }] }
        training: { output_dir: out }
        """;

    private const string Everything = """
        version: 1
        device: cuda:1
        model: { path: Qwen/Qwen2.5-0.5B, init: weights, dtype: bfloat16, trainable: all, ignore_unexpected_tensors: true, tokenizer: other/tokenizer, chat_template: "{% for m in messages %}\n{{ m }}", chat_template_kwargs: { a: [1, null], b: "2" } }
        adapter:
          type: lora
          r: 8
          lora_alpha: 20.5
          lora_dropout: 0.05
          target_modules: [q_proj, "v_proj: x", "007"]
          exclude_modules: .*layers\.(0|1)\..*
          layers_to_transform: [2, 3]
          layers_pattern: layers
          rank_pattern: { ^model\.layers\.2\..*up_proj: 4, "up_proj": 32 }
          alpha_pattern: { v_proj: 2.5, q_proj: 16 }
          modules_to_save: [embed_tokens, norm]
          ensure_weight_tying: true
          bias: lora_only
          lora_bias: true
          use_rslora: true
        data:
          sources:
            - { path: /data/ä 😀.jsonl, format: messages, columns: { prompt: question, "a b": "yes" }, weight: 2.5, limit: 10, label: domain, split: train, max_repeats: 4, roles: { Customer: user } }
            - { path: "-", label: "#1", prompt_template: "{a}\n{b}" }
            - { name: alpaca, dir: /data/sets }
          eval: { sources: [{ path: /data/eval.jsonl }] }
          max_length: 512
          truncation: truncate
          packing: wrapped
          group_by_length: false
          mixing: all_exhausted
          weight_unit: tokens
          train_on_prompt: true
          mask_history: true
          roles_to_train: [assistant, tool]
          chat_template_kwargs: { enable_thinking: false }
          on_error: skip
          deduplicate: true
          shuffle: false
          cache: false
          num_proc: 3
        objective: { type: sft }
        training:
          output_dir: /out
          num_train_epochs: 1.5
          max_steps: 100
          per_device_train_batch_size: 2
          per_device_eval_batch_size: 16
          gradient_accumulation_steps: 8
          learning_rate: 2e-5
          lr_scheduler_type: warmup_stable_decay
          lr_scheduler_kwargs: { num_cycles: 1.5, num_decay_steps: 20, num_stable_steps: 60, min_lr_ratio: 0.1, warmup_type: cosine, decay_type: 1-sqrt }
          warmup_steps: 10
          optim: adamw_torch
          weight_decay: 0.1
          adam_beta1: 0.8
          adam_beta2: 0.95
          adam_epsilon: 1.0e-06
          max_grad_norm: 0.5
          gradient_checkpointing: 7
          seed: 1
          data_seed: 2
          logging_steps: 5
          eval_strategy: steps
          eval_steps: 50
        """;

    private static RunConfig Parse(string yaml, params string[] overrides) => ConfigFile.Parse<RunConfig>(yaml, "run.yaml", overrides);

    [Fact]
    public void Every_setting_is_read()
    {
        var run = Parse(Everything);
        var lora = Assert.IsType<LoraConfig>(run.Adapter);
        Assert.Equal("cuda:1", run.Device);
        Assert.Equal(new ModelConfig
        {
            Path = "Qwen/Qwen2.5-0.5B",
            Dtype = ModelDtype.BFloat16,
            Tokenizer = "other/tokenizer",
            ChatTemplate = "{% for m in messages %}\n{{ m }}",
            IgnoreUnexpectedTensors = true,
            ChatTemplateKwargs = new ValueTree(new JsonObject { ["a"] = new JsonArray(1, null), ["b"] = "2" }),
        }, run.Model);
        Assert.Equal((8, 20.5, 0.05, true), (lora.Rank, lora.Alpha, lora.Dropout, lora.UseRsLora));
        Assert.Equal(ModuleSelector.Names("q_proj", "v_proj: x", "007"), lora.TargetModules);
        Assert.Equal(ModuleSelector.Parse(@".*layers\.(0|1)\..*"), lora.ExcludeModules);
        Assert.Equal([2, 3], lora.LayersToTransform);
        Assert.Equal(["layers"], lora.LayersPattern);
        Assert.Equal([(@"^model\.layers\.2\..*up_proj", 4), ("up_proj", 32)], lora.RankPattern);
        Assert.Equal([("v_proj", 2.5), ("q_proj", 16)], lora.AlphaPattern);
        Assert.Equal(["embed_tokens", "norm"], lora.ModulesToSave);
        Assert.Equal((true, BiasTraining.LoraOnly, true), (lora.EnsureWeightTying, lora.Bias, lora.LoraBias));
        Assert.Equal(new DataConfig
        {
            Sources =
            [
                new SourceConfig
                {
                    Path = Path.GetFullPath("/data/ä 😀.jsonl"),
                    Format = "messages",
                    Columns = new ValueDictionary([KeyValuePair.Create("a b", "yes"), KeyValuePair.Create("prompt", "question")]),
                    Weight = 2.5,
                    Limit = 10,
                    Label = "domain",
                    Split = "train",
                    MaxRepeats = 4,
                    Roles = new ValueDictionary([new("Customer", "user")]),
                },
                new SourceConfig { Path = "-", Label = "#1", PromptTemplate = "{a}\n{b}" },
                new SourceConfig { Name = "alpaca", Dir = Path.GetFullPath("/data/sets") },
            ],
            Eval = new EvalConfig { Sources = [new SourceConfig { Path = Path.GetFullPath("/data/eval.jsonl") }] },
            MaxLength = 512,
            Truncation = TruncationMode.Truncate,
            Packing = PackingMode.Wrapped,
            GroupByLength = false,
            Mixing = MixingMode.AllExhausted,
            WeightUnit = WeightUnit.Tokens,
            TrainOnPrompt = true,
            MaskHistory = true,
            RolesToTrain = ["assistant", "tool"],
            ChatTemplateKwargs = new ValueTree(new JsonObject { ["enable_thinking"] = false }),
            OnError = OnError.Skip,
            Deduplicate = true,
            Shuffle = false,
            Cache = false,
            NumProc = 3,
        }, run.Data);
        Assert.Equal(new TrainingConfig
        {
            OutputDir = Path.GetFullPath("/out"),
            NumTrainEpochs = 1.5,
            MaxSteps = 100,
            PerDeviceTrainBatchSize = 2,
            PerDeviceEvalBatchSize = 16,
            GradientAccumulationSteps = 8,
            LearningRate = 2e-5,
            LrSchedulerType = LrSchedulerType.WarmupStableDecay,
            LrSchedulerKwargs = new SchedulerSettings
            {
                NumCycles = 1.5,
                NumDecaySteps = 20,
                NumStableSteps = 60,
                MinLrRatio = 0.1,
                WarmupType = DecayType.Cosine,
                DecayType = DecayType.OneMinusRoot,
            },
            WarmupSteps = 10,
            Optim = OptimizerType.AdamWTorch,
            WeightDecay = 0.1,
            AdamBeta1 = 0.8,
            AdamBeta2 = 0.95,
            AdamEpsilon = 1e-6,
            MaxGradNorm = 0.5,
            GradientCheckpointing = new GradientCheckpointing(7),
            Seed = 1,
            DataSeed = 2,
            LoggingSteps = 5,
            EvalStrategy = EvalStrategy.Steps,
            EvalSteps = 50,
        }, run.Training);
    }

    /// <summary>So that a key that is added here is added to the two tests that read and write all of them.</summary>
    [Fact]
    public void The_file_above_has_every_setting()
    {
        var keys = ConfigFile.Settings<RunConfig>().Select(setting => setting.Leaf).ToHashSet();
        string[] ofOthers = ["lr_end", "min_lr", "min_lr_rate", "power", "timescale", "warmup_lr_rate"];   // of other schedules
        Assert.Equal(new[] { "count", "fraction", "warmup_ratio" }.Concat(ofOthers).Order(), keys.Where(key => !Everything.Contains($"{key}:", StringComparison.Ordinal)).Order());
    }

    [Theory]
    [InlineData(Minimal)]
    [InlineData(Everything)]
    public void What_is_written_reads_back_equal(string yaml)
    {
        var run = Parse(yaml).Resolved();
        Assert.Equal(run, Parse(ConfigFile.ToYaml(run)));
        Assert.Equal(run, Parse(ConfigFile.ToJson(run)));
        Assert.Equal(run, Parse(ConfigFile.ToYaml(run)).Resolved());
        Assert.NotEqual(run, Parse(ConfigFile.ToYaml(run), "seed=77"));
    }

    [Fact]
    public void The_json_has_values_of_their_own_types()
    {
        var json = JsonNode.Parse(ConfigFile.ToJson(Parse(Everything)))!;
        Assert.StartsWith("""{"type":"lora","r":8,"lora_alpha":20.5,"lora_dropout":0.05,""", json["adapter"]!.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal(true, (bool?)json["adapter"]!["use_rslora"]);
        Assert.Equal("007", (string?)json["adapter"]!["target_modules"]![2]);
        Assert.Equal(7, (int?)json["training"]!["gradient_checkpointing"]);
    }

    [Fact]
    public void Defaults_follow_from_other_settings()
    {
        var run = Parse(Minimal, "seed=5", "per_device_train_batch_size=3").Resolved();
        Assert.Equal(8, ((LoraConfig)run.Adapter!).Alpha);
        Assert.Equal((5, 3, 2e-4, 0.03, EvalStrategy.No),
            (run.Training.DataSeed, run.Training.PerDeviceEvalBatchSize, run.Training.LearningRate, run.Training.WarmupRatio, run.Training.EvalStrategy));
        Assert.Equal(2e-5, Parse(Minimal, "adapter=null").Resolved().Training.LearningRate);
        Assert.Equal(EvalStrategy.Epoch, Parse(Minimal, "data.eval.count=5").Resolved().Training.EvalStrategy);
        Assert.Equal(EvalStrategy.Steps, Parse(Minimal, "data.eval.count=5", "eval_steps=2").Resolved().Training.EvalStrategy);
    }

    [Fact]
    public void Overrides_reach_every_kind_of_setting()
    {
        var run = Parse(Everything,
            "adapter.r=2", "data.sources.0.weight=7", "learning_rate=1e-5", "device=cpu", "data.packing=False", "adapter.target_modules=[k_proj, o_proj]",
            "data.sources.3.path=/data/more.jsonl", "data.eval={count: 3}", "training.eval_steps=9", "seed=1", "seed=3");
        var lora = (LoraConfig)run.Adapter!;
        Assert.Equal((2, 7.0, 1e-5, "cpu", PackingMode.None, 3, 9, 3),
            (lora.Rank, run.Data.Sources[0].Weight, run.Training.LearningRate, run.Device, run.Data.Packing, run.Data.Eval!.Count, run.Training.EvalSteps, run.Training.Seed));
        Assert.Equal(ModuleSelector.Names("k_proj", "o_proj"), lora.TargetModules);
        Assert.Equal(Path.GetFullPath("/data/more.jsonl"), run.Data.Sources[3].Path);
        Assert.Null(Parse(Everything, "adapter=null").Adapter);
    }

    [Fact]
    public void An_override_leaves_other_uses_of_an_anchor_alone()
    {
        var run = Parse("""
            model: { path: x }
            data:
              sources: [&s { path: a, weight: 1 }, *s]
              eval: { sources: [{ <<: *s, label: held out }] }
            training: { output_dir: out }
            """, "data.sources.0.weight=5");
        Assert.Equal((5.0, 1.0, 1.0, "held out"), (run.Data.Sources[0].Weight, run.Data.Sources[1].Weight, run.Data.Eval!.Sources![0].Weight, run.Data.Eval.Sources[0].Label));
    }

    [Fact]
    public void Paths_are_relative_to_the_file_and_to_the_current_folder_on_the_command_line()
    {
        var folder = Directory.CreateTempSubdirectory("llmtune").FullName;
        Directory.CreateDirectory(Path.Join(folder, "models", "here"));
        var file = Path.Join(folder, "run.yaml");
        File.WriteAllText(file, """
            model: { path: models/here, tokenizer: models/elsewhere }
            data: { sources: [{ path: ../data/*.jsonl }, { path: ~/rows.json }] }
            training: { output_dir: out/x }
            """);
        var run = ConfigFile.Load<RunConfig>(file);
        Assert.Equal(Path.Join(folder, "models", "here"), run.Model.Path);
        Assert.Equal("models/elsewhere", run.Model.Tokenizer);   // not there: a hub id
        Assert.Equal(Path.Join(Path.GetDirectoryName(folder), "data", "*.jsonl"), run.Data.Sources[0].Path);
        Assert.Equal(Path.Join(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), "rows.json"), run.Data.Sources[1].Path);
        Assert.Equal(Path.Join(folder, "out", "x"), run.Training.OutputDir);
        var changed = ConfigFile.Load<RunConfig>(file, "output_dir=out/y", "model.path=./nowhere");
        Assert.Equal(Path.GetFullPath("out/y"), changed.Training.OutputDir);
        Assert.Equal(Path.GetFullPath("nowhere"), changed.Model.Path);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void The_schema_describes_every_setting()
    {
        var schema = JsonNode.Parse(ConfigFile.Schema<RunConfig>("a run"))!;
        Assert.Equal("a run", (string?)schema["title"]);
        Assert.Equal(["model", "data", "training"], schema["required"]!.AsArray().Select(key => (string?)key));
        foreach (var setting in ConfigFile.Settings<RunConfig>().Where(setting => setting.Leaf != "type"))
        {
            var at = schema;
            foreach (var key in setting.Path.Split('.'))
            {
                if (at["anyOf"] is JsonArray and [{ } first, _]) at = first;
                at = key == "0" ? at["items"]! : at["properties"]![key]!;
            }
            Assert.StartsWith(setting.Doc, (string?)at["description"], StringComparison.Ordinal);
        }
        var rank = schema["properties"]!["adapter"]!["anyOf"]![0]!["properties"]!["r"]!;
        Assert.Equal(("integer", 16), ((string?)rank["type"], (int?)rank["default"]));
        Assert.Equal("""[true,false,"wrapped"]""", schema["properties"]!["data"]!["properties"]!["packing"]!["enum"]!.ToJsonString());
        Assert.Equal("the update is scaled by lora_alpha / r (default: 2 r)", (string?)schema["properties"]!["adapter"]!["anyOf"]![0]!["properties"]!["lora_alpha"]!["description"]);
    }

    [Theory]
    [InlineData(0.0, null, 100, 0)]
    [InlineData(0.03, null, 101, 4)]
    [InlineData(10.0, null, 100, 10)]
    [InlineData(null, 0.5, 7, 4)]
    [InlineData(null, null, 1000, 30)]
    public void Warmup_is_a_number_or_a_share_rounded_up(double? steps, double? ratio, int total, int expected) =>
        Assert.Equal(expected, new TrainingConfig { OutputDir = "", WarmupSteps = steps, WarmupRatio = ratio }.Warmup(total));

    [Fact]
    public void A_record_refuses_bad_values_without_a_file_too() =>
        Assert.Equal("Rank must be at least 1, got 0", Assert.Throws<ConfigValueException>(() => new LoraConfig { Rank = 0 }).Message);
}
