using LlmTune.Config;
using LlmTune.Recipes;
using LlmTune.Recipes.Wording;

namespace LlmTune.Tests.Config;

/// <summary>What is said of names that are planned, and of those that others have for our settings.</summary>
public class WordingTests
{
    private static readonly string[] Sections = ["", "model", "adapter", "data", "data.sources.0", "objective", "training"];

    /// <summary>A run file with one more line in a section, and the message about that line.</summary>
    private static string OfFile(string section, string line)
    {
        string In(string name) => section == name ? $", {line}" : "";
        var yaml = $$"""
            model: { path: x{{In("model")}} }
            adapter: { type: lora{{In("adapter")}} }
            data: { sources: [{ path: a.jsonl{{In("data.sources.0")}} }]{{In("data")}} }
            objective: { type: sft{{In("objective")}} }
            training: { output_dir: out{{In("training")}} }
            {{(section.Length == 0 ? line : "")}}
            """;
        var message = Assert.Single(Assert.Throws<ConfigException>(() => ConfigFile.Parse<RunConfig>(yaml, "run.yaml")).Problems).ToString();
        return message[(message.IndexOf(": ", StringComparison.Ordinal) + 2)..];
    }

    private static string OfOverride(string assignment)
    {
        const string Good = "model: { path: x }\nadapter: { type: lora }\ndata: { sources: [{ path: a.jsonl }] }\ntraining: { output_dir: out }";
        return Assert.Throws<ConfigException>(() => ConfigFile.Parse<RunConfig>(Good, "run.yaml", assignment)).Message.Replace($"{assignment} (command line): ", "", StringComparison.Ordinal);
    }

    /// <summary>Every setting that the run file's description plans and that is not built.</summary>
    [Theory]
    [InlineData("model", "attn_implementation add_tokens")]
    [InlineData("", "quantization")]
    [InlineData("adapter", "trainable_token_indices use_dora init_lora_weights")]
    [InlineData("objective", "loss_type label_smoothing_factor beta loss_weights label_smoothing f_divergence_type ld_alpha use_weighting simpo_gamma cpo_alpha "
        + "desirable_weight undesirable_weight center_rewards_coefficient reference precompute_ref_log_probs")]
    [InlineData("training", "auto_find_batch_size loraplus_lr_ratio neftune_noise_alpha save_strategy save_steps save_total_limit save_on_interrupt "
        + "load_best_model_at_end metric_for_best_model greater_is_better early_stopping_patience early_stopping_threshold report_to")]
    [InlineData("model", "load_in_4bit load_in_8bit bnb_4bit_quant_type bnb_4bit_use_double_quant bnb_4bit_compute_dtype bnb_4bit_blocksize llm_int8_skip_modules")]
    public void A_planned_setting_says_that_it_is_not_built(string section, string names)
    {
        foreach (var name in names.Split(' '))
        {
            foreach (var place in Sections.Prepend(section).Distinct())
                Assert.StartsWith($"unknown key '{name}'{(place.Length == 0 ? "" : $" in {place}")}, which is not built yet: ", OfFile(place, $"{name}: 1"), StringComparison.Ordinal);
            Assert.StartsWith($"unknown setting '{name}', which is not built yet: ", OfOverride($"{name}=1"), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("adapter.type", "lora", "qlora dora ia3 prompt prefix p_tuning adalora QLoRA")]
    [InlineData("objective.type", "sft", "dpo kto orpo cpo simpo reward grpo ppo")]
    [InlineData("training.optim", "adamw_torch or adamw_torch_fused", "adamw_8bit paged_adamw_8bit adafactor lion_32bit sgd muon")]
    [InlineData("model.dtype", "auto, float32, bfloat16 or float16", "int8 nf4 4bit")]
    public void A_planned_value_says_that_it_is_not_built(string setting, string allowed, string values)
    {
        foreach (var value in values.Split(' '))
            Assert.StartsWith($"{setting} must be {allowed}, got '{value}', which is not built yet: ", OfOverride($"{setting}={value}"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("training", "lr: 1e-4", "unknown key 'lr' in training; write learning_rate: 1e-4")]
    [InlineData("", "lr: 1e-4", "unknown key 'lr'; write learning_rate: 1e-4 in training")]
    [InlineData("adapter", "lr: 1e-4", "unknown key 'lr' in adapter; write learning_rate: 1e-4 in training")]
    [InlineData("training", "epochs: 2", "unknown key 'epochs' in training; write num_train_epochs: 2")]
    [InlineData("data", "batch_size: 8", "unknown key 'batch_size' in data; write per_device_train_batch_size: 8 in training")]
    [InlineData("training", "Micro-Batch-Size: 8", "unknown key 'Micro-Batch-Size' in training; write per_device_train_batch_size: 8")]
    [InlineData("training", "bf16: true", "unknown key 'bf16' in training; write dtype: bfloat16 in model")]
    [InlineData("training", "bf16: false", "unknown key 'bf16' in training; leave it out: model.dtype: auto is bfloat16 on a GPU that has it, else float32")]
    [InlineData("model", "fp16: true", "unknown key 'fp16' in model; write dtype: float16")]
    [InlineData("", "torch_dtype: torch.bfloat16", "unknown key 'torch_dtype'; write dtype: bfloat16 in model")]
    [InlineData("training", "output: out/x", "unknown key 'output' in training; write output_dir: out/x")]
    [InlineData("data", "dataset: rows.jsonl", "unknown key 'dataset' in data; write sources: [{ path: rows.jsonl }]")]
    [InlineData("", "dataset: [a.jsonl, b.jsonl]", "unknown key 'dataset'; write sources: [{ path: a.jsonl }, { path: b.jsonl }] in data")]
    [InlineData("data", "val_size: 0.1", "unknown key 'val_size' in data; write eval: { fraction: 0.1 }")]
    [InlineData("data", "val_size: 100", "unknown key 'val_size' in data; write eval: { count: 100 }")]
    [InlineData("data", "eval_dataset: e.jsonl", "unknown key 'eval_dataset' in data; write sources: [{ path: e.jsonl }] in data.eval")]
    [InlineData("data.sources.0", "type: alpaca", "unknown key 'type' in data.sources.0; write format: alpaca")]
    [InlineData("adapter", "lora_r: 8", "unknown key 'lora_r' in adapter; write r: 8")]
    [InlineData("adapter", "alpha: 8", "unknown key 'alpha' in adapter; write lora_alpha: 8")]
    [InlineData("adapter", "lora_target: 'q_proj, v_proj'", "unknown key 'lora_target' in adapter; write target_modules: [q_proj, v_proj]")]
    [InlineData("adapter", "lora_target: all", "unknown key 'lora_target' in adapter; write target_modules: all-linear")]
    [InlineData("training", "use_cpu: true", "unknown key 'use_cpu' in training; write device: cpu at the top")]
    [InlineData("training", "optimizer: adamw", "unknown key 'optimizer' in training; write optim: adamw_torch_fused")]
    [InlineData("training", "lora: { r: 8 }", "unknown key 'lora' in training; write adapter: { r: 8 } at the top")]
    [InlineData("model", "name: Qwen/Qwen3-0.6B", "unknown key 'name' in model; write path: Qwen/Qwen3-0.6B")]
    [InlineData("training", "overwrite_output_dir: true", "unknown key 'overwrite_output_dir' in training; llmtune train --force replaces a run that is there; leave it out")]
    public void Another_word_is_answered_with_ours_and_its_form(string section, string line, string message) =>
        Assert.Equal(message, OfFile(section, line));

    [Theory]
    [InlineData("lr=1e-4", "unknown setting 'lr'; write learning_rate=1e-4")]
    [InlineData("training.lr=1e-4", "unknown key 'lr' in training; write learning_rate=1e-4")]
    [InlineData("epochs=2", "unknown setting 'epochs'; write num_train_epochs=2")]
    [InlineData("bf16=true", "unknown setting 'bf16'; write model.dtype=bfloat16")]
    [InlineData("dataset=rows.jsonl", "unknown setting 'dataset'; write data.sources.0.path=rows.jsonl")]
    [InlineData("lora_rank=8", "unknown setting 'lora_rank'; write adapter.r=8")]
    [InlineData("val_size=0.1", "unknown setting 'val_size'; write \"data.eval={ fraction: 0.1 }\"")]
    [InlineData("data.sources.0.file=x.jsonl", "unknown key 'file' in data.sources.0; write data.sources.0.path=x.jsonl")]
    [InlineData("model.dtype=bf16", "model.dtype must be auto, float32, bfloat16 or float16, got 'bf16'; write bfloat16")]
    public void So_is_one_on_the_command_line(string assignment, string message) => Assert.Equal(message, OfOverride(assignment));

    [Theory]
    [InlineData("learning_rate", "1e-4", "; settings are written without dashes: learning_rate=1e-4")]
    [InlineData("num-train-epochs", "3", "; settings are written without dashes: num_train_epochs=3")]
    [InlineData("adapter.r", "8", "; settings are written without dashes: adapter.r=8")]
    [InlineData("lora_alpha", "8", "; settings are written without dashes: adapter.lora_alpha=8")]
    [InlineData("lr", "1e-4", "; write learning_rate=1e-4")]
    [InlineData("bf16", "", "; write model.dtype=bfloat16")]
    [InlineData("learning_rate", "", "; settings are written without dashes: learning_rate=…")]
    [InlineData("nonsense", "1", null)]
    [InlineData("model", "x", null)]
    public void An_option_of_another_program_is_answered_as_a_setting(string name, string value, string? message) =>
        Assert.Equal(message, ConfigFile.OfOption<RunConfig>(name, value));

    [Theory]
    [InlineData("data: rows.jsonl", "data must be a section with sources, eval or max_length …, got 'rows.jsonl'; write { sources: [{ path: rows.jsonl }] }")]
    [InlineData("data: { sources: rows.jsonl }", "data.sources must be a list, got 'rows.jsonl'; write [{ path: rows.jsonl }]")]
    [InlineData("data: { sources: [rows.jsonl] }", "data.sources.0 must be a section with path, format or columns …, got 'rows.jsonl'; write { path: rows.jsonl }")]
    public void A_text_in_the_place_of_a_section_is_shown_as_one(string data, string message)
    {
        var found = Assert.Throws<ConfigException>(() => ConfigFile.Parse<RunConfig>($"model: {{ path: x }}\ntraining: {{ output_dir: out }}\n{data}", "run.yaml"));
        Assert.Equal(message, Assert.Single(found.Problems).Message);
    }

    /// <summary>What gets built leaves the table of what is not, no name is in two lines, and what is proposed exists.</summary>
    [Fact]
    public void The_tables_agree_with_the_settings_there_are()
    {
        var settings = ConfigFile.Settings<RunConfig>();
        var names = OtherNames.Keys.SelectMany(line => line.Names.Split(' ')).Concat(UnbuiltNames.Keys.SelectMany(line => line.Names.Split(' '))).ToList();
        Assert.DoesNotContain(names.CountBy(name => name), count => count.Value > 1);
        Assert.DoesNotContain(names, name => settings.Any(setting => setting.Leaf == name || setting.Path == name));
        foreach (var (_, meaning) in OtherNames.Keys)
        {
            var told = meaning(new UnknownName("data.sources.0", "x", new ScalarNode(Place.None, "1", Quoted: false), IsOverride: true));
            if (!told.StartsWith("; write ", StringComparison.Ordinal)) continue;
            var path = told["; write ".Length..].Trim('"').Split('=')[0];
            Assert.Contains(settings, setting => setting.Path == path || setting.Path == $"training.{path}" || setting.Path.StartsWith(path + ".", StringComparison.Ordinal));
        }
        foreach (var (setting, values, _) in UnbuiltNames.Values)
        {
            var allowed = settings.Single(info => info.Path == setting).Values!.Split([", ", " or "], StringSplitOptions.None);
            Assert.Empty(allowed.Intersect(values.Split(' ')));
        }
    }
}
