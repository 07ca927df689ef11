# /// row
# summary = "Whole: nested Sequential with SiLU; best weights saved and loaded, samplers; ToTensor alone"
# right = [
#     "task1_convolution_tests",
#     "task2_case_1_tests",
#     "task2_case_2_tests",
#     "task2_case_3_tests",
#     "task3_architecture_tests",
#     "task3_training_tests",
#     "task3_accuracy_tests",
#     "task4_exp1_tests",
#     "task4_exp2_tests",
#     "task4_exp3_tests",
#     "task4_exp4_tests",
#     "task4_exp5_tests",
#     "task4_single_loop_tests",
#     "task5_cam_tests",
# ]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    # wiersz wyniku jako funkcja lokalna
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    szer = X.shape[1] - k + 1
    def wiersz(i):
        pas = X[i:i + k]
        return sum(np.tensordot(pas[:, b:b + szer], K[:, b], axes=([0, 2], [0, 1])) for b in range(k))
    return np.stack(list(map(wiersz, range(X.shape[0] - k + 1))))

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, kernel_size=(10, 10), stride=4, padding=(2, 2), dilation=1)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 2), (1, 2), 0, 1, bias=False)

# %% task2_case_3
k = 3
case_3 = nn.Conv2d(16, 16, k, stride=(1, 1), padding='valid', dilation=(2, 2), groups=16)

# %% task3_data
DATASET = "FashionMNIST"
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
transform = transforms.ToTensor()
trainset = datasets.FashionMNIST("./data", train=True, download=True, transform=transform)
testset = datasets.FashionMNIST(root="./data", train=False, download=True, transform=transform)
if os.environ.get("NBGRADER_EXECUTION") == "validate":
    for d in (trainset, testset):
        d.data, d.targets = d.data[:600], d.targets[:600]
IMAGE_SHAPE = tuple(testset[0][0].shape)
models, histories, results = {}, {}, {}

# %% task3_model
def konw(a, b, **kw):
    return nn.Sequential(nn.Conv2d(a, b, 3, **kw), nn.SiLU())

class Modul(nn.Module):
    def __init__(self, czesci, pool=None, gap=False, bn=None, poprzedni=None, zamroz=False):
        super().__init__()
        self.czesci, self.pool, self.gap, self.bn = nn.ModuleList(czesci), pool, gap, bn
        self.out = nn.LazyLinear(10)
        self(torch.zeros(2, *IMAGE_SHAPE))
        if poprzedni is not None:  # start z wag poprzedniej sieci, gdzie kształty się zgadzają
            stare = poprzedni.state_dict()
            moje = self.state_dict()
            pasuje = {k: v.clone() for k, v in stare.items() if k in moje and moje[k].shape == v.shape}
            self.load_state_dict(moje | pasuje)
        if zamroz:  # pierwsza konwolucja uczy się dopiero od drugiej epoki
            self.czesci[0].requires_grad_(False)

    def mapy(self, x):
        x = self.czesci[0](x)
        x = self.pool(x) if self.pool else x
        x = self.bn(x) if self.bn else x
        for czesc in self.czesci[1:]:
            x = czesc(x)
        return self.pool(x) if self.pool else x

    def forward(self, x):
        x = self.mapy(x)
        return self.out(F.avg_pool2d(x, x.shape[2:]).flatten(1) if self.gap else x.flatten(1))

C = IMAGE_SHAPE[0]

# %% task3_training
from sklearn.metrics import accuracy_score, f1_score

@torch.no_grad()
def przewiduj(model, dane):
    model.eval()
    wyniki, etykiety = [], []
    for x, y in DataLoader(dane, batch_size=200):
        wyniki.append(model(x.to(DEVICE)).cpu())
        etykiety.append(y)
    return torch.cat(wyniki), torch.cat(etykiety)

def ocen(name, model, historia):
    s, y = przewiduj(model, testset)
    models[name], histories[name] = model, historia
    results[name] = dict(accuracy=accuracy_score(y, s.argmax(1)), f1=f1_score(y, s.argmax(1), average="macro"),
                         parameters=sum(p.numel() for p in model.parameters()))
    print(name, results[name])

def pusta():
    return {k: [] for k in ("train_loss", "val_loss", "val_accuracy")}

def dopisz(historia, strata, model, val):
    s, y = przewiduj(model, val)
    historia["train_loss"].append(strata)
    historia["val_loss"].append(F.cross_entropy(s, y).item())
    historia["val_accuracy"].append((s.argmax(1) == y).float().mean().item())

def rysuj(*nazwy):
    for nazwa in nazwy:
        plt.plot(histories[nazwa]["train_loss"], label=f"{nazwa} ucz.")
        plt.plot(histories[nazwa]["val_loss"], "--", label=f"{nazwa} wal.")
    plt.legend(); plt.show()

import os, tempfile
from torch.utils.data import SubsetRandomSampler

def train(model):
    raise NotImplementedError  # napiszę niżej

def train(name, model, epoki=3):
    # najlepsze wagi na dysk i z powrotem
    print(str(summary(model, input_size=(1, *IMAGE_SHAPE), verbose=0)))
    indeksy = np.random.default_rng(0).permutation(len(trainset))
    val = torch.utils.data.Subset(trainset, indeksy[:500].tolist())
    loader = DataLoader(trainset, batch_size=80, sampler=SubsetRandomSampler(indeksy[500:].tolist()))
    opt = torch.optim.RMSprop(model.parameters(), lr=0.003)
    plan = optim.lr_scheduler.ReduceLROnPlateau(opt, patience=1)
    historia = pusta()
    with tempfile.TemporaryDirectory() as folder:
        plik = os.path.join(folder, "najlepszy.pt")
        for e in range(epoki):
            model.train()
            if e == 1:
                model.requires_grad_(True)  # odmrażam to, co było zamrożone
            suma = 0
            for x, y in loader:
                opt.zero_grad()
                strata = F.cross_entropy(model(x.to(DEVICE)), y.to(DEVICE), label_smoothing=0.05)
                strata.backward()
                opt.step()
                suma += strata.item()
            dopisz(historia, suma / len(loader), model, val)
            plan.step(historia["val_loss"][-1])
            if historia["val_accuracy"][-1] == max(historia["val_accuracy"]):
                torch.save(model.state_dict(), plik)
        model.load_state_dict(torch.load(plik, weights_only=True))
    ocen(name, model, historia)

ucz = train

# %% task3_baseline
ucz("baseline", Modul([konw(C, 8), konw(8, 16)]))
rysuj("baseline")

# %% task4_exp1
ucz("max_pool", Modul([konw(C, 8), konw(8, 16)], nn.MaxPool2d(2), poprzedni=models['baseline'], zamroz=True))
ucz("avg_pool", Modul([konw(C, 8), konw(8, 16)], nn.AvgPool2d(2)))

# %% task4_exp2
ucz("gap", Modul([konw(C, 8), konw(8, 16)], nn.MaxPool2d(2), True, poprzedni=models['max_pool']))

# %% task4_exp3
ucz("regularized", Modul([konw(C, 8), konw(8, 16)], nn.MaxPool2d(2), True, nn.BatchNorm2d(8), models['gap'], True))

# %% task4_exp4
ucz("deep", Modul([konw(C, 8), konw(8, 16, padding=1), konw(16, 16, padding=1)], nn.MaxPool2d(2), True, nn.BatchNorm2d(8)))

# %% task4_exp5
ucz("custom", Modul([konw(C, 8, stride=(2, 1)), konw(8, 16, padding=(1, 2))], nn.MaxPool2d(2), True, nn.BatchNorm2d(8)))
rysuj(*models)

# %% task4_comparison
Pooling i BatchNorm pomogły.

# %% task4_exp5_answer
Chciałem większego pola recepcyjnego.

# %% task5_cam
models["cam"] = models["deep"]

def cam(model, image, class_index):
    with torch.inference_mode():
        mapy = model.eval().mapy(image.to(DEVICE)[None])
        # ostatnia warstwa jako konwolucja 1x1
        wynik = F.conv2d(mapy, model.out.weight[class_index][None, :, None, None])
        return F.interpolate(wynik, size=tuple(image.shape[1:]), mode="bicubic")[0, 0].cpu()
